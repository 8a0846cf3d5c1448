package se.sdkportal.oxalis;

import com.google.inject.AbstractModule;
import com.google.inject.Provides;
import com.google.inject.Singleton;
import com.typesafe.config.Config;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.util.Map;
import network.oxalis.api.persist.PersisterHandler;
import network.oxalis.as4.inbound.As4FaultInHandler;
import network.oxalis.as4.inbound.As4InboundHandler;
import network.oxalis.as4.inbound.SetPolicyOutInterceptor;
import network.oxalis.as4.util.As4MessageFactory;
import network.oxalis.as4.util.PeppolConfiguration;
import network.oxalis.vefa.peppol.mode.Mode;
import network.oxalis.vefa.peppol.security.api.CertificateValidator;

/** What is the federation's and not Peppol's: names, CAs, who is served; and where messages are put. */
final class Federation extends AbstractModule {
  private final Map<String, Object> configuration;

  Federation(Map<String, Object> configuration) {
    this.configuration = configuration;
  }

  @Override
  protected void configure() {
    Inbox inbox = new Inbox(Path.of(Program.text(configuration, "store")));
    bind(Inbox.class).toInstance(inbox);
    bind(PersisterHandler.class).toInstance(inbox);
    bind(Receipts.class).in(Singleton.class);
    bind(As4InboundHandler.class).to(Inbound.class);
    bind(As4FaultInHandler.class).to(Refusals.class);
    bind(As4MessageFactory.class).to(Receipts.class);
    bind(SetPolicyOutInterceptor.class).to(ReceiptSecurity.class);
  }

  /** Oxalis' own way is to try its two Peppol environments. */
  @Provides
  @Singleton
  Mode mode(Config config) {
    return Mode.of(config, "TEST");
  }

  @Provides
  @Singleton
  CertificateValidator validator() throws IOException, GeneralSecurityException {
    return new Trust(accessPointAuthorities());
  }

  @Provides
  @Singleton
  @jakarta.inject.Named("truststore-ap")
  KeyStore accessPointAuthorities() throws IOException, GeneralSecurityException {
    return loaded(Path.of(Program.text(configuration, "truststore")));
  }

  @Provides
  @Singleton
  PeppolConfiguration names() {
    String partyType = Program.text(configuration, "party_type");
    return new PeppolConfiguration() {
      @Override
      public String getPartyIDType() {
        return partyType;
      }

      @Override
      public String getAgreementRef() {
        return null;
      }
    };
  }

  static KeyStore loaded(Path path) throws IOException, GeneralSecurityException {
    KeyStore store = KeyStore.getInstance("PKCS12");
    try (InputStream content = Files.newInputStream(path)) {
      store.load(content, Program.PASSWORD.toCharArray());
    }
    return store;
  }
}
