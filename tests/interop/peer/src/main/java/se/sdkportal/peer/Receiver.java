package se.sdkportal.peer;

import com.helger.collection.commons.CommonsArrayList;
import com.helger.collection.commons.ICommonsList;
import com.helger.http.header.HttpHeaderMap;
import com.helger.base.io.iface.IHasInputStream;
import com.helger.mime.IMimeType;
import com.helger.json.IJsonObject;
import com.helger.json.JsonArray;
import com.helger.json.JsonObject;
import com.helger.phase4.attachment.IAS4IncomingAttachmentFactory;
import com.helger.phase4.attachment.WSS4JAttachment;
import com.helger.phase4.crypto.AS4SigningParams;
import com.helger.phase4.crypto.ECryptoKeyIdentifierType;
import com.helger.phase4.ebms3header.Ebms3Error;
import com.helger.phase4.ebms3header.Ebms3PartyId;
import com.helger.phase4.ebms3header.Ebms3SignalMessage;
import com.helger.phase4.ebms3header.Ebms3UserMessage;
import com.helger.phase4.error.AS4Error;
import com.helger.phase4.error.AS4ErrorList;
import com.helger.phase4.incoming.AS4IncomingMessageMetadata;
import com.helger.phase4.incoming.AS4IncomingProfileSelectorConstant;
import com.helger.phase4.incoming.AS4IncomingReceiverConfiguration;
import com.helger.phase4.incoming.AS4RequestHandler;
import com.helger.phase4.incoming.IAS4IncomingMessageMetadata;
import com.helger.phase4.incoming.IAS4IncomingMessageState;
import com.helger.phase4.incoming.IAS4ResponseAbstraction;
import com.helger.phase4.incoming.crypto.AS4IncomingSecurityConfiguration;
import com.helger.phase4.incoming.spi.AS4MessageProcessorResult;
import com.helger.phase4.incoming.spi.AS4SignalMessageProcessorResult;
import com.helger.phase4.incoming.spi.IAS4IncomingMessageProcessorSPI;
import com.helger.phase4.model.error.EEbmsError;
import com.helger.phase4.model.pmode.IPMode;
import com.helger.phase4.model.pmode.resolve.AS4DefaultPModeResolver;
import com.sun.net.httpserver.HttpExchange;
import java.io.FilterInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.charset.Charset;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.cert.X509Certificate;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.concurrent.atomic.AtomicInteger;
import org.w3c.dom.Node;

/** The receiving half: what phase4 takes is written to files; what it refuses is remembered with its errors. */
final class Receiver implements IAS4IncomingMessageProcessorSPI {
  private final Peer.Keys keys;
  private final Path store;
  private final Set<String> served;
  private final AtomicInteger number = new AtomicInteger();
  private final List<IJsonObject> taken = new ArrayList<>();
  private final List<IJsonObject> refused = new ArrayList<>();
  volatile boolean keepsPayloads = true;
  volatile Receipts receipts = new Receipts("", null, null);
  volatile ECryptoKeyIdentifierType receiptReference = ECryptoKeyIdentifierType.BST_DIRECT_REFERENCE;

  Receiver(Peer.Keys keys, Path store, Set<String> served) {
    this.keys = keys;
    this.store = store;
    this.served = served;
  }

  /** Everything since the last call. */
  synchronized IJsonObject told() {
    JsonArray messages = new JsonArray();
    taken.forEach(messages::add);
    JsonArray refusals = new JsonArray();
    refused.forEach(refusals::add);
    taken.clear();
    refused.clear();
    return new JsonObject().add("messages", messages).add("refusals", refusals);
  }

  void handle(HttpExchange exchange) throws IOException {
    Answer answer = new Answer();
    HttpHeaderMap headers = new HttpHeaderMap();
    exchange.getRequestHeaders().forEach((name, values) -> values.forEach(value -> headers.addHeader(name, value)));
    try (AS4RequestHandler handler = new AS4RequestHandler(AS4IncomingMessageMetadata.createForRequest())) {
      handler.setCryptoFactory(keys.factory());
      handler.setPModeResolver(new AS4DefaultPModeResolver(Peer.PROFILE));
      handler.setIncomingProfileSelector(new AS4IncomingProfileSelectorConstant(Peer.PROFILE));
      handler.setIncomingAttachmentFactory(IAS4IncomingAttachmentFactory.DEFAULT_INSTANCE);
      handler.setIncomingSecurityConfiguration(
          new AS4IncomingSecurityConfiguration()
              .setDecryptParameterModifier(keys.revocation())
              .setSigningParams(new AS4SigningParams().setKeyIdentifierType(receiptReference)));
      handler.setIncomingReceiverConfiguration(new AS4IncomingReceiverConfiguration());
      handler.setProcessorSupplier(() -> new CommonsArrayList<>(this));
      handler.setErrorConsumer((metadata, state, errors, message) -> remember(state, errors));
      handler.handleRequest(new StaysOpen(exchange.getRequestBody()), headers, answer);
      answer.content = receipts.sent(answer.content);
    } catch (Exception error) {
      answer.status = 400;
      answer.type = "text/plain";
      answer.content = String.valueOf(error.getMessage()).getBytes(StandardCharsets.UTF_8);
      synchronized (this) {
        refused.add(new JsonObject().add("exception", error.toString()));
      }
    }
    // A sender that is refused early is let finish, or it would find its connection broken.
    exchange.getRequestBody().transferTo(OutputStream.nullOutputStream());
    if (answer.type != null) {
      exchange.getResponseHeaders().set("Content-Type", answer.type);
    }
    exchange.sendResponseHeaders(answer.status, answer.content.length == 0 ? -1 : answer.content.length);
    exchange.getResponseBody().write(answer.content);
    exchange.close();
  }

  private synchronized void remember(IAS4IncomingMessageState state, AS4ErrorList errors) {
    IJsonObject refusal = new JsonObject().add("errors", errorsAsJson(errors.getAllMapped(AS4Error::getEbmsError)));
    if (state.getMessageID() != null) {
      refusal.add("message_id", state.getMessageID());
    }
    refused.add(refusal);
  }

  static JsonArray errorsAsJson(Iterable<Ebms3Error> errors) {
    JsonArray told = new JsonArray();
    for (Ebms3Error error : errors) {
      told.add(
          new JsonObject()
              .add("code", error.getErrorCode())
              .add("severity", error.getSeverity())
              .add("detail", String.valueOf(error.getErrorDetail()))
              .add("description", String.valueOf(error.getDescriptionValue())));
    }
    return told;
  }

  @Override
  public AS4MessageProcessorResult processAS4UserMessage(
      IAS4IncomingMessageMetadata metadata,
      HttpHeaderMap headers,
      Ebms3UserMessage message,
      IPMode mode,
      Node payload,
      ICommonsList<WSS4JAttachment> attachments,
      IAS4IncomingMessageState state,
      AS4ErrorList errors) {
    // phase4 verifies and decrypts what is signed and encrypted; that both are there is its user's to ask.
    if (!state.isSoapSignatureChecked() || !state.isSoapDecrypted()) {
      String missing = state.isSoapSignatureChecked() ? "encrypted" : "signed";
      return failure(errors, EEbmsError.EBMS_POLICY_NONCOMPLIANCE, "not " + missing, state);
    }
    String recipient = property(message, "finalRecipient");
    if (!served.isEmpty() && !served.contains(recipient)) {
      return failure(errors, EEbmsError.EBMS_OTHER, "NOT_SERVICED", state);
    }
    try {
      IJsonObject record = record(message, attachments, state.getSigningCertificate());
      synchronized (this) {
        taken.add(record);
      }
      return AS4MessageProcessorResult.createSuccess();
    } catch (IOException | RuntimeException error) {
      return failure(errors, EEbmsError.EBMS_DECOMPRESSION_FAILURE, error.toString(), state);
    }
  }

  private static AS4MessageProcessorResult failure(
      AS4ErrorList errors, EEbmsError kind, String detail, IAS4IncomingMessageState state) {
    errors.add(
        kind.errorBuilder(Locale.US).errorDetail(detail).refToMessageInError(state.getMessageID()).build());
    return AS4MessageProcessorResult.createFailure();
  }

  private IJsonObject record(
      Ebms3UserMessage message, ICommonsList<WSS4JAttachment> attachments, X509Certificate signer)
      throws IOException {
    JsonArray payloads = new JsonArray();
    int count = 0;
    for (WSS4JAttachment attachment : attachments) {
      Path file = store.resolve("payload-" + number.incrementAndGet());
      long size;
      try (InputStream content = attachment.getSourceStream()) {
        size = keepsPayloads ? Files.copy(content, file) : content.transferTo(OutputStream.nullOutputStream());
      }
      payloads.add(
          new JsonObject()
              .add("file", file.toString())
              .add("size", size)
              .add("content_id", attachment.getId())
              .add("mime_type", String.valueOf(attachment.getUncompressedMimeType()))
              .add("compressed", attachment.getCompressionMode() != null)
              .add("href", message.getPayloadInfo().getPartInfoAtIndex(count++).getHref()));
    }
    JsonObject properties = new JsonObject();
    message.getMessageProperties().getProperty().forEach(item -> properties.add(item.getName(), item.getValue()));
    Ebms3PartyId from = message.getPartyInfo().getFrom().getPartyIdAtIndex(0);
    Ebms3PartyId to = message.getPartyInfo().getTo().getPartyIdAtIndex(0);
    return new JsonObject()
        .add("message_id", message.getMessageInfo().getMessageId())
        .add("conversation_id", message.getCollaborationInfo().getConversationId())
        .add("service", message.getCollaborationInfo().getServiceValue())
        .add("service_type", message.getCollaborationInfo().getService().getType())
        .add("action", message.getCollaborationInfo().getAction())
        .add("from", from.getValue())
        .add("from_type", from.getType())
        .add("to", to.getValue())
        .add("to_type", to.getType())
        .add("signer", signer == null ? "" : signer.getSubjectX500Principal().getName())
        .add("properties", properties)
        .add("payloads", payloads);
  }

  private static String property(Ebms3UserMessage message, String name) {
    return message.getMessageProperties().getProperty().stream()
        .filter(item -> name.equals(item.getName()))
        .map(item -> item.getValue())
        .findFirst()
        .orElse("");
  }

  @Override
  public AS4SignalMessageProcessorResult processAS4SignalMessage(
      IAS4IncomingMessageMetadata metadata,
      HttpHeaderMap headers,
      Ebms3SignalMessage message,
      IPMode mode,
      IAS4IncomingMessageState state,
      AS4ErrorList errors) {
    return AS4SignalMessageProcessorResult.createSuccess();
  }

  @Override
  public void processAS4ResponseMessage(
      IAS4IncomingMessageMetadata metadata,
      IAS4IncomingMessageState state,
      String messageId,
      byte[] content,
      boolean isAvailable,
      AS4ErrorList errors) {}

  /** A request body that phase4 closes before it has been read to its end. */
  private static final class StaysOpen extends FilterInputStream {
    private StaysOpen(InputStream content) {
      super(content);
    }

    @Override
    public void close() {}
  }

  /** What phase4 wants to answer, kept until the request has been read. */
  private static final class Answer implements IAS4ResponseAbstraction {
    private byte[] content = new byte[0];
    private String type;
    private int status = 200;

    @Override
    public void setContent(byte[] bytes, Charset charset) {
      content = bytes;
    }

    @Override
    public void setContent(HttpHeaderMap headers, IHasInputStream source) {
      throw new UnsupportedOperationException("an answer is a signal, which has no parts");
    }

    @Override
    public void setMimeType(IMimeType mimeType) {
      type = mimeType.getAsString();
    }

    @Override
    public void setStatus(int code) {
      status = code;
    }
  }
}
