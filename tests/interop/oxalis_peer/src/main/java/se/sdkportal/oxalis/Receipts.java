package se.sdkportal.oxalis;

import com.google.inject.Inject;
import com.google.inject.Singleton;
import jakarta.xml.soap.SOAPException;
import jakarta.xml.soap.SOAPMessage;
import java.io.IOException;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.util.ArrayList;
import java.util.List;
import network.oxalis.as4.api.MessageIdGenerator;
import network.oxalis.as4.inbound.ProsessingContext;
import network.oxalis.as4.lang.OxalisAs4Exception;
import network.oxalis.as4.util.As4MessageFactory;
import org.oasis_open.docs.ebxml_msg.ebms.v3_0.ns.core._200704.UserMessage;
import org.w3.xmldsig.ReferenceType;

/**
 * Oxalis' receipts, which can be made wrong before they are signed: "digests", "reference" (of another message), "less" (the
 * payload is not in them), "more" (as if more had been sent), "unsigned", "signer" (by the key in another key store; for
 * the last two see {@link ReceiptSecurity}). Right again with "".
 */
@Singleton
class Receipts extends As4MessageFactory {
  private volatile String wrong = "";
  private volatile KeyStore other;

  @Inject
  Receipts(MessageIdGenerator identifiers) throws SOAPException {
    super(identifiers);
  }

  void become(String kind, String keystore) throws IOException, GeneralSecurityException {
    other = keystore == null ? null : Federation.loaded(Path.of(keystore));
    wrong = kind;
  }

  boolean isUnsigned() {
    return "unsigned".equals(wrong);
  }

  /** The key store of who signs instead of us, or null. */
  KeyStore otherSigner() {
    return "signer".equals(wrong) ? other : null;
  }

  @Override
  public SOAPMessage createReceiptMessage(UserMessage message, ProsessingContext context)
      throws OxalisAs4Exception {
    List<ReferenceType> references = new ArrayList<>(context.getReferenceList());
    String identity = message.getMessageInfo().getMessageId();
    switch (wrong) {
      case "digests":
        references.get(references.size() - 1).setDigestValue(new byte[32]);
        break;
      case "less":
        references.remove(references.size() - 1);
        break;
      case "more":
        ReferenceType last = references.get(references.size() - 1);
        ReferenceType more = new ReferenceType();
        more.setURI("cid:another-part");
        more.setDigestMethod(last.getDigestMethod());
        more.setDigestValue(last.getDigestValue());
        references.add(more);
        break;
      case "reference":
        message.getMessageInfo().setMessageId("another-message@oxalis");
        break;
      default:
    }
    try {
      return super.createReceiptMessage(
          message, new ProsessingContext(context.getReceiptTimestamp(), references));
    } finally {
      message.getMessageInfo().setMessageId(identity);
    }
  }
}
