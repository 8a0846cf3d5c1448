package se.sdkportal.oxalis;

import com.google.inject.Inject;
import com.google.inject.name.Named;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.net.URI;
import java.nio.charset.Charset;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.cert.CertificateException;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import network.oxalis.api.lang.OxalisTransmissionException;
import network.oxalis.api.outbound.MessageSender;
import network.oxalis.api.outbound.TransmissionResponse;
import network.oxalis.as4.common.As4MessageProperties;
import network.oxalis.as4.common.As4MessageProperty;
import network.oxalis.as4.lang.AS4Error;
import network.oxalis.as4.outbound.As4TransmissionRequest;
import network.oxalis.vefa.peppol.common.model.DocumentTypeIdentifier;
import network.oxalis.vefa.peppol.common.model.Endpoint;
import network.oxalis.vefa.peppol.common.model.Header;
import network.oxalis.vefa.peppol.common.model.ProcessIdentifier;
import network.oxalis.vefa.peppol.common.model.Scheme;
import network.oxalis.vefa.peppol.common.model.TransportProfile;

/**
 * The sending half. An order is what phase4's program takes, without habits; the answer is the same.
 *
 * <p>Oxalis verifies a receipt's signature and signer, and compares no digests; "receipt_fits" says that the receipt is for
 * the message that was sent.
 */
final class Outbox {
  private final MessageSender sender;

  @Inject
  Outbox(@Named("oxalis-as4") MessageSender sender) {
    this.sender = sender;
  }

  List<Object> send(Map<String, Object> order) throws Exception {
    int count = ((Number) order.getOrDefault("count", 1)).intValue();
    int parallel = ((Number) order.getOrDefault("parallel", 1)).intValue();
    ExecutorService pool = Executors.newFixedThreadPool(parallel);
    try {
      List<Callable<Map<String, Object>>> tasks = new ArrayList<>();
      for (int number = 0; number < count; number++) {
        tasks.add(() -> sent(new Request(order)));
      }
      List<Object> results = new ArrayList<>();
      for (Future<Map<String, Object>> result : pool.invokeAll(tasks)) {
        results.add(result.get());
      }
      return results;
    } finally {
      pool.shutdown();
    }
  }

  private Map<String, Object> sent(Request request) {
    Map<String, Object> told = new HashMap<>();
    told.put("message_id", request.messageId);
    told.put("outcome", "FAILED");
    try {
      TransmissionResponse response = sender.send(request);
      told.put("outcome", "SUCCESS");
      told.put(
          "receipt_fits", response.getTransmissionIdentifier().getIdentifier().equals(request.messageId));
    } catch (OxalisTransmissionException | RuntimeException error) {
      Throwable cause = error;
      while (cause.getCause() != null && cause.getCause() != cause) {
        cause = cause.getCause();
      }
      told.put("exception", cause.toString());
      if (cause instanceof AS4Error as4Error && as4Error.getErrorCode() != null) {
        String code = as4Error.getErrorCode().toString();
        told.put("errors", List.of(Map.of("code", code, "detail", String.valueOf(cause.getMessage()))));
      }
    }
    return told;
  }

  /** One message. */
  private static final class Request implements As4TransmissionRequest {
    private final Map<String, Object> order;
    private final String messageId;
    private final byte[] content;
    private final Endpoint endpoint;

    private Request(Map<String, Object> order) throws IOException, CertificateException {
      this.order = order;
      messageId = order.getOrDefault("message_id", UUID.randomUUID() + "@" + order.get("from")).toString();
      Map<?, ?> payload = (Map<?, ?>) ((List<?>) order.get("payloads")).get(0);
      content = Files.readAllBytes(Path.of(payload.get("file").toString()));
      endpoint =
          Endpoint.of(
              TransportProfile.AS4,
              URI.create(Program.text(order, "url")),
              certificate(Path.of(Program.text(order, "receiver_certificate"))));
    }

    private static X509Certificate certificate(Path pem) throws IOException, CertificateException {
      try (InputStream file = Files.newInputStream(pem)) {
        return (X509Certificate) CertificateFactory.getInstance("X.509").generateCertificate(file);
      }
    }

    @Override
    public Endpoint getEndpoint() {
      return endpoint;
    }

    @Override
    public Header getHeader() {
      String[] action = Program.text(order, "action").split("::", 2);
      return Header.newInstance()
          .documentType(DocumentTypeIdentifier.of(action[1], Scheme.of(action[0])))
          .process(
              ProcessIdentifier.of(
                  Program.text(order, "service"), Scheme.of(Program.text(order, "service_type"))));
    }

    @Override
    public InputStream getPayload() {
      return new ByteArrayInputStream(content);
    }

    @Override
    public As4MessageProperties getMessageProperties() {
      As4MessageProperties properties = new As4MessageProperties();
      ((Map<?, ?>) order.get("properties"))
          .forEach(
              (name, property) -> {
                Map<?, ?> values = (Map<?, ?>) property;
                properties.add(
                    new As4MessageProperty(
                        name.toString(), values.get("type").toString(), values.get("value").toString()));
              });
      return properties;
    }

    @Override
    public String getMessageId() {
      return messageId;
    }

    @Override
    public String getConversationId() {
      return Program.text(order, "conversation_id");
    }

    @Override
    public String getRefToMessageId() {
      return null;
    }

    @Override
    public String getPayloadHref() {
      return UUID.randomUUID() + "@" + order.get("from");
    }

    @Override
    public Charset getPayloadCharset() {
      return null;
    }

    @Override
    public String getCompressionType() {
      return null;
    }

    @Override
    public boolean isPing() {
      return false;
    }
  }
}
