package se.sdkportal.oxalis;

import com.google.inject.Inject;
import com.google.inject.Singleton;
import jakarta.xml.soap.SOAPException;
import jakarta.xml.soap.SOAPMessage;
import jakarta.xml.ws.handler.MessageContext;
import network.oxalis.api.header.HeaderParser;
import network.oxalis.api.inbound.InboundService;
import network.oxalis.api.timestamp.TimestampProvider;
import network.oxalis.api.transmission.TransmissionVerifier;
import network.oxalis.as4.inbound.As4InboundHandler;
import network.oxalis.as4.lang.OxalisAs4Exception;
import network.oxalis.as4.util.AS4ErrorCode;
import network.oxalis.as4.util.As4MessageFactory;
import network.oxalis.as4.util.PolicyService;
import network.oxalis.as4.util.SOAPHeaderParser;
import network.oxalis.commons.mode.OxalisCertificateValidator;
import org.oasis_open.docs.ebxml_msg.ebms.v3_0.ns.core._200704.UserMessage;

/** Oxalis' handler of what has been verified and decrypted; it asks first whether the recipient is served. */
@Singleton
class Inbound extends As4InboundHandler {
  private final Inbox inbox;

  @Inject
  Inbound(
      Inbox inbox,
      TransmissionVerifier verifier,
      TimestampProvider timestamps,
      HeaderParser headers,
      As4MessageFactory messages,
      PolicyService policies,
      InboundService inbound,
      OxalisCertificateValidator certificates) {
    super(verifier, inbox, timestamps, headers, messages, policies, inbound, certificates);
    this.inbox = inbox;
  }

  @Override
  public SOAPMessage handle(SOAPMessage request, MessageContext context) throws OxalisAs4Exception {
    if (!inbox.serves(recipientOf(request))) {
      throw new OxalisAs4Exception("NOT_SERVICED", AS4ErrorCode.EBMS_0004, AS4ErrorCode.Severity.FAILURE);
    }
    return super.handle(request, context);
  }

  private static String recipientOf(SOAPMessage request) throws OxalisAs4Exception {
    try {
      UserMessage message = SOAPHeaderParser.getUserMessage(request.getSOAPHeader());
      return message.getMessageProperties().getProperty().stream()
          .filter(property -> "finalRecipient".equals(property.getName()))
          .map(property -> property.getValue())
          .findFirst()
          .orElse("");
    } catch (SOAPException error) {
      throw new OxalisAs4Exception("no header", error);
    }
  }
}
