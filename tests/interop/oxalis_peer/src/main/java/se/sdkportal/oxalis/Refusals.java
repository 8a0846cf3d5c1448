package se.sdkportal.oxalis;

import com.google.inject.Inject;
import com.google.inject.Singleton;
import jakarta.xml.ws.handler.soap.SOAPMessageContext;
import network.oxalis.as4.inbound.As4FaultInHandler;
import network.oxalis.as4.lang.AS4Error;
import network.oxalis.as4.util.As4MessageFactory;

/** Oxalis' handler of what goes wrong; it remembers what was refused. */
@Singleton
class Refusals extends As4FaultInHandler {
  private final Inbox inbox;

  @Inject
  Refusals(As4MessageFactory messages, Inbox inbox) {
    super(messages, inbox);
    this.inbox = inbox;
  }

  @Override
  protected void handleAS4Error(SOAPMessageContext context, String messageId, AS4Error error) {
    inbox.refuse(messageId, error);
    super.handleAS4Error(context, messageId, error);
  }
}
