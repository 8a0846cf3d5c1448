package se.sdkportal.peer;

import com.helger.http.header.HttpHeaderMap;
import com.helger.base.io.stream.HasInputStream;
import com.helger.mime.parse.MimeTypeParser;
import com.helger.httpclient.HttpClientFactory;
import com.helger.json.IJson;
import com.helger.json.IJsonObject;
import com.helger.json.JsonObject;
import com.helger.phase4.attachment.AS4OutgoingAttachment;
import com.helger.phase4.attachment.WSS4JAttachment;
import com.helger.phase4.client.IAS4ClientBuildMessageCallback;
import com.helger.phase4.client.IAS4RetryCallback;
import com.helger.phase4.crypto.ECryptoAlgorithmC14N;
import com.helger.phase4.crypto.ECryptoAlgorithmCrypt;
import com.helger.phase4.crypto.ECryptoAlgorithmSign;
import com.helger.phase4.crypto.ECryptoAlgorithmSignDigest;
import com.helger.phase4.crypto.ECryptoKeyEncryptionAlgorithm;
import com.helger.phase4.crypto.ECryptoKeyIdentifierType;
import com.helger.phase4.crypto.ICryptoSessionKeyProvider;
import com.helger.phase4.crypto.IWSSecSignatureCustomizer;
import com.helger.phase4.dump.IAS4OutgoingDumper;
import com.helger.phase4.ebms3header.Ebms3SignalMessage;
import com.helger.phase4.messaging.http.BasicHttpPoster;
import com.helger.phase4.messaging.http.HttpRetrySettings;
import com.helger.phase4.model.MessageProperty;
import com.helger.phase4.model.pmode.PMode;
import com.helger.phase4.model.pmode.leg.PModeLegSecurity;
import com.helger.phase4.sender.AbstractAS4UserMessageBuilderMIMEPayload;
import com.helger.phase4.sender.EAS4UserMessageSendResult;
import com.helger.phase4.sender.IAS4SignalMessageValidationResultHandler;
import com.helger.phase4.util.AS4ResourceHelper;
import java.io.File;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicReference;
import org.apache.hc.core5.http.HttpEntity;
import org.apache.hc.core5.http.io.HttpClientResponseHandler;
import org.apache.hc.core5.http.io.entity.HttpEntityWrapper;
import org.apache.wss4j.dom.message.WSSecSignature;
import org.w3c.dom.Document;

/**
 * The sending half.
 *
 * <pre>
 * {"url": ..., "receiver_certificate": "PEM file", "from": party, "to": party, "party_type": ...,
 *  "service": ..., "service_type": ..., "action": ..., "conversation_id": ..., "message_id": optional,
 *  "properties": {"originalSender": {"type": ..., "value": ...}, ...},
 *  "payloads": [{"file": ..., "mime_type": ..., "compressed": true, "claims_compression": false}],
 *  "habits": {...}, "compose": "file" to write the HTTP body there instead of sending}
 * </pre>
 *
 * Habits, each as phase4 names it: "signature_reference" and "encryption_reference" (ECryptoKeyIdentifierType's
 * ids), "certificate_path" (X509PKIPathv1), "prefixes" (false: no InclusiveNamespaces), "sign", "digest", "c14n",
 * "crypt" (the enumerations' ids, or "none"), "key_transport" (an ECryptoKeyEncryptionAlgorithm), "mgf", "oaep_digest"
 * (URIs), "changes_after_signing" (the first payload is another than was signed), "chunked" (the body in chunks).
 *
 * <p>The answer for one message: {"message_id": ..., "outcome": an EAS4UserMessageSendResult, "receipt_fits": whether
 * the receipt repeats what was signed, "errors": [...], "exception": ...}.
 */
final class Sender {
  private final Peer.Keys keys;
  private final HttpClientFactory httpClients;

  Sender(Peer.Keys keys, HttpClientFactory httpClients) {
    this.keys = keys;
    this.httpClients = httpClients;
  }

  JsonObject send(IJsonObject order) {
    Result result = new Result();
    JsonObject told = new JsonObject();
    try {
      Builder builder = builder(order, result);
      EAS4UserMessageSendResult outcome =
          builder.sendMessageAndCheckForReceipt(
              error -> {
                Throwable cause = error;
                while (cause.getCause() != null && cause.getCause() != cause) {
                  cause = cause.getCause();
                }
                told.add("exception", cause.toString());
              });
      told.add("outcome", outcome.name()).add("receipt_fits", result.fits);
      told.add("message_id", String.valueOf(result.messageId.get()));
      if (builder.composed != null && builder.composed.contentType != null) {
        told.add("content_type", builder.composed.contentType);
      }
      Ebms3SignalMessage signal = result.signal.get();
      if (signal != null && signal.hasErrorEntries()) {
        told.add("errors", Receiver.errorsAsJson(signal.getError()));
      }
    } catch (IOException | GeneralSecurityException | RuntimeException error) {
      told.add("outcome", "FAILED").add("exception", error.toString());
    }
    return told;
  }

  private Builder builder(IJsonObject order, Result result) throws IOException, GeneralSecurityException {
    IJsonObject habits = order.getAsObject("habits") == null ? new JsonObject() : order.getAsObject("habits");
    String kind = order.getAsString("party_type");
    Builder builder = new Builder(habits.getAsBoolean("changes_after_signing", false));
    builder.judgedBy(result);
    builder
        .httpClientFactory(httpClients)
        .cryptoFactory(keys.factory())
        .as4ProfileID(Peer.PROFILE)
        .pmode(mode(order, habits))
        .decryptRequestDataModifier(keys.revocation())
        .endpointURL(order.getAsString("url"))
        .messageID(order.getAsString("message_id"))
        .service(order.getAsString("service_type"), order.getAsString("service"))
        .action(order.getAsString("action"))
        .conversationID(order.getAsString("conversation_id"))
        .agreementRef(order.getAsString("agreement"))
        .fromPartyIDType(kind)
        .fromPartyID(order.getAsString("from"))
        .fromRole("http://docs.oasis-open.org/ebxml-msg/ebms/v3.0/ns/core/200704/initiator")
        .toPartyIDType(kind)
        .toPartyID(order.getAsString("to"))
        .toRole("http://docs.oasis-open.org/ebxml-msg/ebms/v3.0/ns/core/200704/responder")
        .receiverCertificate(Peer.certificate(Path.of(order.getAsString("receiver_certificate"))))
        .signalMsgConsumer((signal, metadata, state) -> result.signal.set(signal))
        .buildMessageCallback(builder.changer(result));
    order
        .getAsObject("properties")
        .forEach(
            (name, value) ->
                builder.addMessageProperty(
                    MessageProperty.builder()
                        .name(name)
                        .type(value.getAsObject().getAsString("type"))
                        .value(value.getAsObject().getAsString("value"))));
    for (IJson payload : order.getAsArray("payloads")) {
      builder.addAttachment(attachment(payload.getAsObject()));
    }
    follow(habits, builder);
    if (order.containsKey("compose")) {
      builder.composed = new Composed(new File(order.getAsString("compose")));
      builder.composed.setHttpClientFactory(httpClients);
      builder.customHttpPoster(builder.composed);
    } else if (habits.getAsBoolean("chunked", false)) {
      BasicHttpPoster poster = new Chunked();
      poster.setHttpClientFactory(httpClients);
      builder.customHttpPoster(poster);
    }
    return builder;
  }

  private static PMode mode(IJsonObject order, IJsonObject habits) {
    PMode mode =
        FederationProfile.mode(order.getAsString("from"), order.getAsString("to"), order.getAsString("url"));
    PModeLegSecurity security = mode.getLeg1().getSecurity();
    if (habits.containsKey("sign")) {
      security.setX509SignatureAlgorithm(ECryptoAlgorithmSign.getFromIDOrNull(habits.getAsString("sign")));
    }
    if (habits.containsKey("digest")) {
      security.setX509SignatureHashFunction(
          ECryptoAlgorithmSignDigest.getFromIDOrNull(habits.getAsString("digest")));
    }
    if (habits.containsKey("crypt")) {
      security.setX509EncryptionAlgorithm(ECryptoAlgorithmCrypt.getFromIDOrNull(habits.getAsString("crypt")));
    }
    return mode;
  }

  private static void follow(IJsonObject habits, Builder builder) {
    if (habits.containsKey("signature_reference")) {
      builder
          .signingParams()
          .setKeyIdentifierType(
              ECryptoKeyIdentifierType.getFromIDOrThrow(habits.getAsString("signature_reference")));
    }
    if (habits.containsKey("encryption_reference")) {
      builder
          .cryptParams()
          .setKeyIdentifierType(
              ECryptoKeyIdentifierType.getFromIDOrThrow(habits.getAsString("encryption_reference")));
    }
    if (habits.containsKey("c14n")) {
      builder.signingParams().setAlgorithmC14N(ECryptoAlgorithmC14N.getFromIDOrNull(habits.getAsString("c14n")));
    }
    if (habits.getAsBoolean("certificate_path", false)) {
      builder.signingParams().setUseSingleCertificate(false);
    }
    if (!habits.getAsBoolean("prefixes", true)) {
      builder
          .signingParams()
          .setWSSecSignatureCustomizer(
              new IWSSecSignatureCustomizer() {
                @Override
                public void customize(WSSecSignature signature) {
                  signature.setAddInclusivePrefixes(false);
                }
              });
    }
    if (habits.containsKey("key_transport")) {
      builder
          .cryptParams()
          .setKeyEncAlgorithm(ECryptoKeyEncryptionAlgorithm.valueOf(habits.getAsString("key_transport")));
    }
    if (habits.containsKey("mgf")) {
      builder.cryptParams().setMGFAlgorithm(habits.getAsString("mgf"));
    }
    if (habits.containsKey("oaep_digest")) {
      builder.cryptParams().setDigestAlgorithm(habits.getAsString("oaep_digest"));
    }
    if ("aes256-gcm".equals(habits.getAsString("crypt"))) {
      builder.cryptParams().setSessionKeyProvider(ICryptoSessionKeyProvider.INSTANCE_RANDOM_AES_256);
    }
  }

  private static AS4OutgoingAttachment attachment(IJsonObject payload) {
    AS4OutgoingAttachment.Builder builder =
        AS4OutgoingAttachment.builder()
            .data(new File(payload.getAsString("file")))
            .mimeType(MimeTypeParser.safeParseMimeType(payload.getAsString("mime_type")))
            .charset(StandardCharsets.UTF_8);
    if (payload.getAsBoolean("compressed", true)) {
      builder.compressionGZIP();
    }
    if (payload.getAsBoolean("claims_compression", false)) {
      builder.addCustomProperty("CompressionType", "application/gzip");
    }
    return builder.build();
  }

  /** What comes of one message. */
  private static final class Result implements IAS4SignalMessageValidationResultHandler {
    private final AtomicReference<Ebms3SignalMessage> signal = new AtomicReference<>();
    private final AtomicReference<String> messageId = new AtomicReference<>();
    private boolean fits;

    @Override
    public void onSuccess() {
      fits = true;
    }

    @Override
    public void onError(String message) {
      fits = false;
    }

    @Override
    public void onNotApplicable() {
      fits = false;
    }
  }

  /** phase4's builder, which can be made to encrypt something else than it has signed. */
  private static final class Builder extends AbstractAS4UserMessageBuilderMIMEPayload<Builder> {
    private final boolean changes;
    private final List<WSS4JAttachment> attachments = new ArrayList<>();
    private Composed composed;

    private Builder(boolean changes) {
      this.changes = changes;
    }

    private void judgedBy(IAS4SignalMessageValidationResultHandler handler) {
      m_aSignalMsgValidationResultHdl = handler;
    }

    @Override
    protected WSS4JAttachment createOtherAttachment(
        AS4OutgoingAttachment payload, AS4ResourceHelper resources, int index) throws IOException {
      WSS4JAttachment attachment = super.createOtherAttachment(payload, resources, index);
      attachments.add(attachment);
      return attachment;
    }

    private IAS4ClientBuildMessageCallback changer(Result result) {
      return new IAS4ClientBuildMessageCallback() {
        @Override
        public void onAS4Message(com.helger.phase4.model.message.AbstractAS4Message<?> message) {
          result.messageId.set(
              ((com.helger.phase4.model.message.AS4UserMessage) message)
                  .getEbms3UserMessage()
                  .getMessageInfo()
                  .getMessageId());
        }

        @Override
        public void onSignedSoapDocument(Document document) {
          if (changes) {
            change(attachments.get(0));
          }
        }
      };
    }

    private static void change(WSS4JAttachment attachment) {
      try (InputStream content = attachment.getSourceStream()) {
        byte[] bytes = content.readAllBytes();
        bytes[bytes.length - 1] ^= 1;
        attachment.setSourceStreamProvider(
            HasInputStream.multiple(() -> new java.io.ByteArrayInputStream(bytes)));
      } catch (IOException error) {
        throw new java.io.UncheckedIOException(error);
      }
    }
  }

  /** Sends the body in chunks, as if its length were not known. */
  private static final class Chunked extends BasicHttpPoster {
    @Override
    public <T> T sendGenericMessageWithRetries(
        String url,
        HttpHeaderMap headers,
        HttpEntity entity,
        String messageId,
        HttpRetrySettings retries,
        HttpClientResponseHandler<? extends T> handler,
        IAS4OutgoingDumper dumper,
        IAS4RetryCallback callback)
        throws IOException {
      HttpEntity chunked =
          new HttpEntityWrapper(entity) {
            @Override
            public long getContentLength() {
              return -1;
            }

            @Override
            public boolean isChunked() {
              return true;
            }
          };
      return super.sendGenericMessageWithRetries(
          url, headers, chunked, messageId, retries, handler, dumper, callback);
    }
  }

  /** Writes the body to a file instead of sending it. */
  private static final class Composed extends BasicHttpPoster {
    private final File file;
    private String contentType;

    private Composed(File file) {
      this.file = file;
    }

    @Override
    public <T> T sendGenericMessageWithRetries(
        String url,
        HttpHeaderMap headers,
        HttpEntity entity,
        String messageId,
        HttpRetrySettings retries,
        HttpClientResponseHandler<? extends T> handler,
        IAS4OutgoingDumper dumper,
        IAS4RetryCallback callback)
        throws IOException {
      contentType = headers == null ? null : headers.getFirstHeaderValue("Content-Type");
      if (contentType == null) {
        contentType = entity.getContentType();
      }
      try (OutputStream out = new FileOutputStream(file)) {
        entity.writeTo(out);
      }
      return null;
    }
  }
}
