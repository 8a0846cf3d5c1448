package se.sdkportal.oxalis;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.atomic.AtomicInteger;
import network.oxalis.api.inbound.InboundMetadata;
import network.oxalis.api.model.TransmissionIdentifier;
import network.oxalis.api.persist.PersisterHandler;
import network.oxalis.as4.common.As4MessageProperty;
import network.oxalis.as4.inbound.As4EnvelopeHeader;
import network.oxalis.as4.inbound.As4InboundMetadata;
import network.oxalis.as4.lang.AS4Error;
import network.oxalis.vefa.peppol.common.model.Header;

/** Where Oxalis puts what it takes: payloads in files, the rest in memory until it is asked for. */
final class Inbox implements PersisterHandler {
  private final Path store;
  private final AtomicInteger number = new AtomicInteger();
  private final List<Object> taken = new ArrayList<>();
  private final List<Object> refused = new ArrayList<>();
  private volatile Set<String> served = Set.of();

  Inbox(Path store) {
    this.store = store;
  }

  void serve(List<String> participants) {
    served = Set.copyOf(participants);
  }

  boolean serves(String participant) {
    return served.isEmpty() || served.contains(participant);
  }

  /** Everything since the last call. */
  synchronized Map<String, Object> told() {
    Map<String, Object> told = Map.of("messages", List.copyOf(taken), "refusals", List.copyOf(refused));
    taken.clear();
    refused.clear();
    return told;
  }

  @Override
  public Path persist(TransmissionIdentifier identifier, Header header, InputStream content) throws IOException {
    Files.createDirectories(store);
    Path file = store.resolve("payload-" + number.incrementAndGet());
    Files.copy(content, file);
    return file;
  }

  @Override
  public void persist(InboundMetadata metadata, Path payload) throws IOException {
    As4InboundMetadata received = (As4InboundMetadata) metadata;
    As4EnvelopeHeader header = received.getAs4EnvelopeHeader();
    Map<String, Object> properties = new HashMap<>();
    for (As4MessageProperty property : header.getMessageProperties()) {
      properties.put(property.getName(), property.getValue());
    }
    Map<String, Object> message = new HashMap<>();
    message.put("message_id", header.getMessageId());
    message.put("conversation_id", header.getConversationId());
    message.put("action", header.getAction());
    message.put("service", header.getService());
    message.put("from", header.getFromPartyId().get(0));
    message.put("to", header.getToPartyId().get(0));
    message.put("signer", received.getCertificate().getSubjectX500Principal().getName());
    message.put("properties", properties);
    message.put("payloads", List.of(Map.of("file", payload.toString(), "size", Files.size(payload))));
    synchronized (this) {
      taken.add(message);
    }
  }

  @Override
  public void persist(TransmissionIdentifier identifier, Header header, Path payload, Exception error) {
    // What was refused is told by Refusals, which knows of those without a payload too.
  }

  synchronized void refuse(String messageId, AS4Error error) {
    refused.add(
        Map.of(
            "message_id",
            String.valueOf(messageId),
            "errors",
            List.of(
                Map.of(
                    "code", error.getErrorCode().toString(), "detail", String.valueOf(error.getMessage())))));
  }
}
