package se.sdkportal.oxalis;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.Logger;
import com.google.inject.Guice;
import com.google.inject.Injector;
import com.google.inject.servlet.GuiceFilter;
import com.google.inject.util.Modules;
import com.typesafe.config.ConfigFactory;
import com.typesafe.config.ConfigRenderOptions;
import com.typesafe.config.ConfigValueFactory;
import jakarta.servlet.DispatcherType;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import network.oxalis.commons.guice.GuiceModuleLoader;
import org.apache.cxf.BusFactory;
import org.eclipse.jetty.server.Server;
import org.eclipse.jetty.server.ServerConnector;
import org.eclipse.jetty.servlet.DefaultServlet;
import org.eclipse.jetty.servlet.ServletContextHandler;
import org.eclipse.jetty.util.ssl.SslContextFactory;
import org.slf4j.LoggerFactory;

/**
 * Oxalis as an access point of the federation: its AS4 servlet and its AS4 sender, with the federation's certificates and
 * names, over HTTPS both ways.
 *
 * <p>It is started with the path of a configuration and told what to do as phase4's program is (../peer, Peer.java), in
 * JSON, an object a line: "received", "serve", "send", and "answer" (see {@link Receipts}).
 */
public final class Program {
  static final String PASSWORD = "peer";
  private static final int THREADS = 20;

  private final Inbox inbox;
  private final Receipts receipts;
  private final Outbox outbox;

  private Program(Injector injector) {
    inbox = injector.getInstance(Inbox.class);
    receipts = injector.getInstance(Receipts.class);
    outbox = injector.getInstance(Outbox.class);
  }

  public static void main(String[] arguments) throws Exception {
    PrintStream answers = System.out;
    System.setOut(System.err);
    ((Logger) LoggerFactory.getLogger(org.slf4j.Logger.ROOT_LOGGER_NAME)).setLevel(Level.WARN);
    Map<String, Object> configuration = parsed(Files.readString(Path.of(arguments[0])));
    prepare(configuration);
    Injector injector =
        Guice.createInjector(Modules.override(new GuiceModuleLoader()).with(new Federation(configuration)));
    // Threads of ours send with the bus that Oxalis has set up for the thread that makes the injector.
    BusFactory.setDefaultBus(BusFactory.getThreadDefaultBus());
    Server server = served(configuration, injector);
    answers.println(json(Map.of("url", "https://localhost:" + port(server) + "/as4")));
    answers.flush();
    Program program = new Program(injector);
    BufferedReader commands = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    for (String line = commands.readLine(); line != null; line = commands.readLine()) {
      answers.println(json(program.obeyed(parsed(line))));
      answers.flush();
    }
    System.exit(0);
  }

  /** What Oxalis and the JDK read of files and properties. */
  private static void prepare(Map<String, Object> configuration) throws IOException {
    Path home = Path.of(text(configuration, "store")).resolveSibling("oxalis-home");
    Files.createDirectories(home.resolve("conf"));
    Map<String, Object> settings = new HashMap<>();
    settings.put("oxalis.keystore.path", text(configuration, "keystore"));
    settings.put("oxalis.keystore.password", PASSWORD);
    settings.put("oxalis.keystore.key.alias", "own");
    settings.put("oxalis.keystore.key.password", PASSWORD);
    // Envelopes are XHE: there is no SBDH to read.
    settings.put("oxalis.header.parser", "dummy");
    settings.put("oxalis.module.server.jetty.enabled", false);
    StringBuilder lines = new StringBuilder();
    settings.forEach((name, value) -> lines.append(name).append(" = ").append(json(value)).append('\n'));
    Files.writeString(home.resolve("conf").resolve("oxalis.conf"), lines);
    System.setProperty("OXALIS_HOME", home.toString());
    System.setProperty("javax.net.ssl.keyStore", text(configuration, "tls_keystore"));
    System.setProperty("javax.net.ssl.keyStoreType", "PKCS12");
    System.setProperty("javax.net.ssl.keyStorePassword", PASSWORD);
    System.setProperty("javax.net.ssl.trustStore", text(configuration, "tls_truststore"));
    System.setProperty("javax.net.ssl.trustStoreType", "PKCS12");
    System.setProperty("javax.net.ssl.trustStorePassword", PASSWORD);
    System.setProperty("com.sun.security.enableCRLDP", "true");
  }

  private static Server served(Map<String, Object> configuration, Injector injector) throws Exception {
    SslContextFactory.Server tls = new SslContextFactory.Server();
    tls.setKeyStorePath(text(configuration, "tls_keystore"));
    tls.setKeyStorePassword(PASSWORD);
    tls.setTrustStorePath(text(configuration, "tls_truststore"));
    tls.setTrustStorePassword(PASSWORD);
    tls.setNeedClientAuth(true);
    Server server = new Server(new org.eclipse.jetty.util.thread.QueuedThreadPool(THREADS));
    ServerConnector connector = new ServerConnector(server, tls);
    connector.setHost("localhost");
    server.addConnector(connector);
    ServletContextHandler handler = new ServletContextHandler(ServletContextHandler.NO_SESSIONS);
    handler.addFilter(
        new org.eclipse.jetty.servlet.FilterHolder(injector.getInstance(GuiceFilter.class)),
        "/*",
        EnumSet.of(DispatcherType.REQUEST));
    handler.addServlet(DefaultServlet.class, "/");
    server.setHandler(handler);
    server.start();
    return server;
  }

  private static int port(Server server) {
    return ((ServerConnector) server.getConnectors()[0]).getLocalPort();
  }

  private Map<String, Object> obeyed(Map<String, Object> order) {
    try {
      switch (text(order, "command")) {
        case "received":
          return inbox.told();
        case "serve":
          inbox.serve(texts(order, "served"));
          return Map.of();
        case "answer":
          receipts.become(text(order, "wrong"), (String) order.get("keystore"));
          return Map.of();
        case "send":
          return Map.of("results", outbox.send(order));
        default:
          return Map.of("failed", "no such command");
      }
    } catch (Exception error) {
      error.printStackTrace();
      return Map.of("failed", error.toString());
    }
  }

  static String json(Object value) {
    return ConfigValueFactory.fromAnyRef(value).render(ConfigRenderOptions.concise());
  }

  static Map<String, Object> parsed(String text) {
    return ConfigFactory.parseString(text).root().unwrapped();
  }

  static String text(Map<String, Object> values, String name) {
    Object value = values.get(name);
    if (value == null) {
      throw new IllegalArgumentException("no " + name);
    }
    return value.toString();
  }

  static List<String> texts(Map<String, Object> values, String name) {
    return ((List<?>) values.get(name)).stream().map(Object::toString).toList();
  }
}
