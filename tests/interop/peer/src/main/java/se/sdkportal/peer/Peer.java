package se.sdkportal.peer;

import com.helger.httpclient.HttpClientFactory;
import com.helger.httpclient.HttpClientSettings;
import com.helger.json.IJson;
import com.helger.json.IJsonObject;
import com.helger.json.JsonArray;
import com.helger.json.JsonObject;
import com.helger.json.serialize.JsonReader;
import com.helger.phase4.crypto.AS4CryptoFactoryInMemoryKeyStore;
import com.helger.phase4.crypto.ECryptoKeyIdentifierType;
import com.helger.phase4.crypto.ECryptoMode;
import com.helger.phase4.crypto.IAS4CryptoFactory;
import com.helger.phase4.crypto.IAS4DecryptParameterModifier;
import com.helger.phase4.mgr.MetaAS4Manager;
import com.helger.scope.mgr.ScopeManager;
import com.sun.net.httpserver.HttpsConfigurator;
import com.sun.net.httpserver.HttpsParameters;
import com.sun.net.httpserver.HttpsServer;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.InvalidAlgorithmParameterException;
import java.security.KeyStore;
import java.security.Provider;
import java.security.Security;
import java.security.cert.CertPathValidator;
import java.security.cert.CertificateFactory;
import java.security.cert.PKIXParameters;
import java.security.cert.PKIXRevocationChecker;
import java.security.cert.TrustAnchor;
import java.security.cert.X509Certificate;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.regex.Pattern;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLParameters;
import javax.net.ssl.TrustManagerFactory;
import org.apache.hc.core5.util.Timeout;
import org.apache.wss4j.common.crypto.Crypto;
import org.apache.wss4j.common.crypto.Merlin;
import org.apache.wss4j.dom.handler.RequestData;

/**
 * A second access point for tests and benchmarks: phase4 with the federation's profile.
 *
 * <p>Start it with the path of a configuration in JSON (tests/interop/phase4.py writes one):
 *
 * <pre>
 * {"keystore": "own.p12",      own key and certificate, alias "own"; every password is "peer"
 *  "truststore": "ap.p12",     the CAs of access points
 *  "tls_keystore": "tls.p12",  key and certificate of the HTTPS server
 *  "tls_truststore": "ca.p12", the CAs of others' HTTPS servers
 *  "store": "directory",       where received payloads are put
 *  "port": 0,                  0 for any free one
 *  "served": ["0203:..."],     participants that are served; empty for all
 *  "revocation": true,         whether signers are asked about by OCSP, else in their CA's CRL
 *  "client_certificates": true} whether whoever connects has to show a TLS certificate
 * </pre>
 *
 * It then speaks JSON, an object a line: first {"url": ...} on stdout, after that one answer for each command
 * that it reads from stdin. It ends when stdin does. phase4's own log goes to stderr.
 *
 * <ul>
 *   <li>{"command": "received"}: {"messages": [...], "refusals": [...]} since the last time it was asked.
 *   <li>{"command": "serve", "served": [...], "keep": true, "receipt_reference": "bst"}: whom to serve from now on; without
 *       "keep" payloads are read and counted, not stored; how its receipts name their signer.
 *   <li>{"command": "answer", "wrong": kind, "keystore": ...}: how its receipts are wrong, see {@link Receipts}.
 *   <li>{"command": "use", "keystore": ...}: another own key and certificate.
 *   <li>{"command": "send", ...}: see {@link Sender}; with "count" and "parallel" as many messages in a row and at
 *       once. Answers {"results": [...], "seconds": s, "cpu_seconds": s, "peak_memory": bytes}.
 *   <li>{"command": "usage"}: {"cpu_seconds": s, "peak_memory": bytes, "memory": bytes} of this process; with
 *       "reset" the peak starts anew from what is used now.
 * </ul>
 */
public final class Peer {
  static final String PROFILE = FederationProfile.ID;
  private static final char[] PASSWORD = "peer".toCharArray();
  private static final int THREADS = 8;

  private final PrintStream answers;
  private final SSLContext tls;
  private final Keys keys;
  private final Set<String> served = new HashSet<>();
  private final Receiver receiver;

  private Peer(IJsonObject configuration, PrintStream answers) throws IOException, GeneralSecurityException {
    this.answers = answers;
    this.keys = new Keys(configuration);
    this.tls = tlsContext(configuration);
    configuration.getAsArray("served").forEach(item -> served.add(item.getAsValue().getAsString()));
    Path store = Path.of(configuration.getAsString("store"));
    Files.createDirectories(store);
    this.receiver = new Receiver(keys, store, served);
  }

  public static void main(String[] arguments) throws Exception {
    // Read before any class of the JDK's certificate path building is loaded.
    System.setProperty("com.sun.security.enableCRLDP", "true");
    Security.insertProviderAt(new StreamingCipher(), 1);
    PrintStream answers = System.out;
    System.setOut(System.err);
    ScopeManager.onGlobalBegin("peer");
    MetaAS4Manager.getInstance();
    FederationProfile.register();
    IJsonObject configuration = parsed(Files.readString(Path.of(arguments[0])));
    Peer peer = new Peer(configuration, answers);
    HttpsServer server =
        peer.serve(configuration.getAsInt("port", 0), configuration.getAsBoolean("client_certificates", false));
    peer.say(new JsonObject().add("url", "https://localhost:" + server.getAddress().getPort() + "/as4"));
    BufferedReader commands = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    for (String line = commands.readLine(); line != null; line = commands.readLine()) {
      peer.obey(parsed(line));
    }
    System.exit(0);
  }

  private HttpsServer serve(int port, boolean asksForCertificates) throws IOException {
    HttpsServer server = HttpsServer.create(new InetSocketAddress("localhost", port), 64);
    server.setHttpsConfigurator(
        new HttpsConfigurator(tls) {
          @Override
          public void configure(HttpsParameters parameters) {
            SSLParameters chosen = tls.getDefaultSSLParameters();
            chosen.setNeedClientAuth(asksForCertificates);
            parameters.setSSLParameters(chosen);
          }
        });
    server.setExecutor(Executors.newFixedThreadPool(THREADS));
    server.createContext("/as4", receiver::handle);
    server.start();
    return server;
  }

  private void obey(IJsonObject command) {
    try {
      say(answer(command));
    } catch (Exception error) {
      error.printStackTrace();
      say(new JsonObject().add("failed", error.toString()));
    }
  }

  private IJsonObject answer(IJsonObject command) throws Exception {
    switch (command.getAsString("command")) {
      case "received":
        return receiver.told();
      case "serve":
        served.clear();
        command.getAsArray("served").forEach(item -> served.add(item.getAsValue().getAsString()));
        receiver.keepsPayloads = command.getAsBoolean("keep", true);
        receiver.receiptReference =
            ECryptoKeyIdentifierType.getFromIDOrThrow(
                command.containsKey("receipt_reference") ? command.getAsString("receipt_reference") : "bst");
        return new JsonObject();
      case "answer":
        receiver.receipts =
            new Receipts(
                command.getAsString("wrong"),
                keys.factory(),
                command.containsKey("keystore")
                    ? keys.factoryOf(Path.of(command.getAsString("keystore")))
                    : null);
        return new JsonObject();
      case "use":
        keys.use(Path.of(command.getAsString("keystore")));
        return new JsonObject();
      case "send":
        return send(command);
      case "usage":
        if (command.getAsBoolean("reset", false)) {
          Files.writeString(Path.of("/proc/self/clear_refs"), "5");
        }
        return usage();
      default:
        return new JsonObject().add("failed", "no such command");
    }
  }

  private IJsonObject send(IJsonObject order) throws Exception {
    Sender sender = new Sender(keys, httpClients());
    int count = order.getAsInt("count", 1);
    ExecutorService pool = Executors.newFixedThreadPool(order.getAsInt("parallel", 1));
    double cpuBefore = cpuSeconds();
    long before = System.nanoTime();
    JsonArray results = new JsonArray();
    try {
      List<Callable<JsonObject>> tasks = new ArrayList<>();
      for (int number = 0; number < count; number++) {
        tasks.add(() -> sender.send(order));
      }
      for (Future<JsonObject> one : pool.invokeAll(tasks)) {
        results.add(one.get());
      }
    } finally {
      pool.shutdown();
    }
    double seconds = (System.nanoTime() - before) / 1e9;
    JsonObject told = usage();
    told.add("results", results).add("seconds", seconds).add("cpu_seconds", cpuSeconds() - cpuBefore);
    return told;
  }

  private HttpClientFactory httpClients() {
    HttpClientSettings settings = new HttpClientSettings();
    settings.setSSLContext(tls);
    settings.setResponseTimeout(Timeout.ofSeconds(120));
    settings.setRetryCount(0);
    return new HttpClientFactory(settings);
  }

  private static JsonObject usage() throws IOException {
    JsonObject told = new JsonObject();
    told.add("cpu_seconds", cpuSeconds());
    for (String line : Files.readAllLines(Path.of("/proc/self/status"))) {
      if (line.startsWith("VmHWM:") || line.startsWith("VmRSS:")) {
        long bytes = 1024 * Long.parseLong(line.replaceAll("[^0-9]", ""));
        told.add(line.startsWith("VmHWM:") ? "peak_memory" : "memory", bytes);
      }
    }
    return told;
  }

  private static double cpuSeconds() {
    return ProcessHandle.current().info().totalCpuDuration().orElseThrow().toNanos() / 1e9;
  }

  private void say(IJson answer) {
    answers.println(answer.getAsJsonString());
    answers.flush();
  }

  private static IJsonObject parsed(String text) {
    return JsonReader.readFromString(text).getAsObject();
  }

  private static SSLContext tlsContext(IJsonObject configuration) throws IOException, GeneralSecurityException {
    KeyManagerFactory own = KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
    own.init(loaded(Path.of(configuration.getAsString("tls_keystore"))), PASSWORD);
    TrustManagerFactory others = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
    others.init(loaded(Path.of(configuration.getAsString("tls_truststore"))));
    SSLContext context = SSLContext.getInstance("TLS");
    context.init(own.getKeyManagers(), others.getTrustManagers(), null);
    return context;
  }

  private static KeyStore loaded(Path path) throws IOException, GeneralSecurityException {
    KeyStore store = KeyStore.getInstance("PKCS12");
    try (InputStream content = Files.newInputStream(path)) {
      store.load(content, PASSWORD);
    }
    return store;
  }

  static X509Certificate certificate(Path pem) throws IOException, GeneralSecurityException {
    try (InputStream content = Files.newInputStream(pem)) {
      return (X509Certificate) CertificateFactory.getInstance("X.509").generateCertificate(content);
    }
  }

  /** This access point's key, the CAs that it trusts, and whether it asks them about revocation. */
  static final class Keys {
    private final KeyStore trusted;
    private final boolean asksForRevocation;
    private volatile IAS4CryptoFactory factory;

    private Keys(IJsonObject configuration) throws IOException, GeneralSecurityException {
      trusted = loaded(Path.of(configuration.getAsString("truststore")));
      asksForRevocation = configuration.getAsBoolean("revocation", true);
      use(Path.of(configuration.getAsString("keystore")));
    }

    private void use(Path keystore) throws IOException, GeneralSecurityException {
      factory = factoryOf(keystore);
    }

    private IAS4CryptoFactory factoryOf(Path keystore) throws IOException, GeneralSecurityException {
      KeyStore own = loaded(keystore);
      Crypto crypto = new EndEntitiesAsked();
      ((Merlin) crypto).setKeyStore(own);
      ((Merlin) crypto).setTrustStore(trusted);
      return new AS4CryptoFactoryInMemoryKeyStore(own, "own", PASSWORD, trusted) {
        @Override
        public Crypto getCrypto(ECryptoMode mode) {
          return crypto;
        }
      };
    }

    IAS4CryptoFactory factory() {
      return factory;
    }

    IAS4DecryptParameterModifier revocation() {
      return new IAS4DecryptParameterModifier() {
        @Override
        public void modifyRequestData(RequestData data) {
          data.setEnableRevocation(asksForRevocation);
          data.setSubjectCertConstraints(List.of(Pattern.compile(".*")));
        }
      };
    }
  }

  /**
   * AES-GCM as Bouncy Castle has it. The JDK's own keeps all of a part until its tag is known, and its
   * CipherInputStream then takes time by the square of the part's size: minutes for 100 MB.
   */
  private static final class StreamingCipher extends Provider {
    private StreamingCipher() {
      super("StreamingCipher", "1", "AES-GCM of Bouncy Castle");
      put("Cipher.AES/GCM/NoPadding", "org.bouncycastle.jcajce.provider.symmetric.AES$GCM");
    }
  }

  /** WSS4J's judge of certificates, asking about access points but not about their CAs, which are anchors here. */
  private static final class EndEntitiesAsked extends Merlin {
    private EndEntitiesAsked() {
      super(false, "");
    }

    @Override
    protected PKIXParameters createPKIXParameters(Set<TrustAnchor> anchors, boolean asksForRevocation)
        throws InvalidAlgorithmParameterException {
      PKIXParameters parameters = super.createPKIXParameters(anchors, asksForRevocation);
      if (asksForRevocation) {
        try {
          PKIXRevocationChecker checker =
              (PKIXRevocationChecker) CertPathValidator.getInstance("PKIX").getRevocationChecker();
          checker.setOptions(EnumSet.of(PKIXRevocationChecker.Option.ONLY_END_ENTITY));
          parameters.addCertPathChecker(checker);
        } catch (GeneralSecurityException error) {
          throw new InvalidAlgorithmParameterException(error);
        }
      }
      return parameters;
    }
  }
}
