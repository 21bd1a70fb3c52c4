// A workload written against java-spiffe-core and its JSSE provider, as their users write one: it knows nothing
// of Signet. Prints one JSON object a line, and ends with 1 when something does not hold.
//
//   watch COUNT      the first COUNT certificates that come
//   jwt AUDIENCE     a JWT-SVID, verified with the JWT bundle and by the Workload API
//   mtls COUNT       mutual TLS with itself, now and after each of COUNT rotations
import io.spiffe.bundle.jwtbundle.JwtBundleSet;
import io.spiffe.bundle.x509bundle.X509Bundle;
import io.spiffe.provider.SpiffeSslContextFactory;
import io.spiffe.provider.SpiffeSslContextFactory.SslContextOptions;
import io.spiffe.svid.jwtsvid.JwtSvid;
import io.spiffe.svid.x509svid.X509Svid;
import io.spiffe.svid.x509svid.X509SvidValidator;
import io.spiffe.workloadapi.DefaultWorkloadApiClient;
import io.spiffe.workloadapi.DefaultX509Source;
import io.spiffe.workloadapi.Watcher;
import io.spiffe.workloadapi.X509Context;
import java.net.InetAddress;
import java.nio.charset.StandardCharsets;
import java.security.cert.X509Certificate;
import java.util.Set;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLServerSocket;
import javax.net.ssl.SSLSocket;

public final class Client {
  private static final int PATIENCE_S = 120;

  public static void main(String[] words) throws Exception {
    switch (words[0]) {
      case "jwt" -> jwt(words[1]);
      case "watch" -> watch(Integer.parseInt(words[1]));
      default -> mtls(Integer.parseInt(words[1]));
    }
    System.exit(0);
  }

  private static void jwt(String audience) throws Exception {
    try (var client = DefaultWorkloadApiClient.newClient()) {
      JwtSvid svid = client.fetchJwtSvid(audience);
      JwtBundleSet bundles = client.fetchJwtBundles();
      JwtSvid verified = JwtSvid.parseAndValidate(svid.getToken(), bundles, Set.of(audience));
      JwtSvid told = client.validateJwtSvid(svid.getToken(), audience);
      if (!told.getSpiffeId().equals(verified.getSpiffeId())) throw new Exception("Two identities");
      long minutes = Math.round((verified.getExpiry().getTime() - System.currentTimeMillis()) / 60e3);
      System.out.printf(
          "{\"id\":\"%s\",\"audience\":[\"%s\"],\"minutes\":%d}%n",
          svid.getSpiffeId(), String.join("\",\"", verified.getAudience()), minutes);
    }
  }

  private static void watch(int count) throws Exception {
    LinkedBlockingQueue<Object> heard = new LinkedBlockingQueue<>();
    try (var client = DefaultWorkloadApiClient.newClient()) {
      client.watchX509Context(
          new Watcher<X509Context>() {
            @Override
            public void onUpdate(X509Context update) {
              heard.add(update);
            }

            @Override
            public void onError(Throwable error) {
              heard.add(error);
            }
          });
      for (int seen = 0; seen < count; seen++) {
        Object next = heard.poll(PATIENCE_S, TimeUnit.SECONDS);
        if (!(next instanceof X509Context context)) throw new Exception("Heard " + next);
        X509Svid svid = context.getDefaultSvid();
        X509SvidValidator.verifyChain(svid.getChain(), context.getX509BundleSet());
        X509Bundle bundle =
            context.getX509BundleSet().getBundleForTrustDomain(svid.getSpiffeId().getTrustDomain());
        System.out.printf(
            "{\"id\":\"%s\",\"serial\":\"%s\",\"chain\":%d,\"roots\":%d}%n",
            svid.getSpiffeId(),
            serialOf(svid.getLeaf()),
            svid.getChain().size(),
            bundle.getX509Authorities().size());
      }
    }
  }

  private static void mtls(int count) throws Exception {
    try (DefaultX509Source source = DefaultX509Source.newSource()) {
      InetAddress loopback = InetAddress.getByName("127.0.0.1");
      try (SSLServerSocket server =
          (SSLServerSocket) contextOf(source).getServerSocketFactory().createServerSocket(0, 9, loopback)) {
        server.setNeedClientAuth(true);
        Thread echo = new Thread(() -> serve(server));
        echo.setDaemon(true);
        echo.start();
        for (int round = 0; ; round++) {
          X509Svid held = source.getX509Svid();
          // One for each: JSSE would resume the session, which shows no certificate.
          var sockets = contextOf(source).getSocketFactory();
          converse((SSLSocket) sockets.createSocket(loopback, server.getLocalPort()));
          if (round == count) return;
          long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(PATIENCE_S);
          while (source.getX509Svid().equals(held)) {
            if (System.nanoTime() > deadline) throw new Exception("No rotation came");
            Thread.sleep(50);
          }
        }
      }
    }
  }

  private static SSLContext contextOf(DefaultX509Source source) throws Exception {
    return SpiffeSslContextFactory.getSslContext(
        SslContextOptions.builder()
            .sslProtocol("TLSv1.3")
            .x509Source(source)
            .acceptedSpiffeIdsSupplier(() -> Set.of(source.getX509Svid().getSpiffeId()))
            .build());
  }

  private static void serve(SSLServerSocket server) {
    while (true) {
      try (SSLSocket socket = (SSLSocket) server.accept()) {
        socket.getInputStream().transferTo(socket.getOutputStream());
      } catch (java.io.IOException error) {
        if (server.isClosed()) return;
      }
    }
  }

  private static void converse(SSLSocket socket) throws Exception {
    try (socket) {
      byte[] said = "hello".getBytes(StandardCharsets.UTF_8);
      socket.getOutputStream().write(said);
      String heard = new String(socket.getInputStream().readNBytes(said.length), StandardCharsets.UTF_8);
      X509Certificate peer = (X509Certificate) socket.getSession().getPeerCertificates()[0];
      System.out.printf(
          "{\"heard\":\"%s\",\"serial\":\"%s\",\"tls\":\"%s\"}%n",
          heard, serialOf(peer), socket.getSession().getProtocol().replace("TLSv", "TLS "));
    }
  }

  private static String serialOf(X509Certificate certificate) {
    return certificate.getSerialNumber().toString(16);
  }
}
