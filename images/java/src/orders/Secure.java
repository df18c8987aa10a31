package orders;

import java.io.FileInputStream;
import java.security.KeyStore;
import java.security.MessageDigest;
import java.security.Security;
import java.util.HexFormat;
import javax.crypto.Cipher;
import javax.crypto.spec.GCMParameterSpec;
import javax.crypto.spec.SecretKeySpec;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLServerSocket;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.TrustManagerFactory;

/** A TLS handshake with an own certificate, ciphers and providers. */
public final class Secure implements Report {
    public String print(String argument) throws Exception {
        KeyStore store = KeyStore.getInstance("PKCS12");
        char[] password = "changeit".toCharArray();
        try (FileInputStream file = new FileInputStream("own.p12")) {
            store.load(file, password);
        }
        KeyManagerFactory keys = KeyManagerFactory.getInstance("SunX509");
        keys.init(store, password);
        KeyStore trusted = KeyStore.getInstance(KeyStore.getDefaultType());
        trusted.load(null, null);
        trusted.setCertificateEntry("own", store.getCertificate("own"));
        TrustManagerFactory trust = TrustManagerFactory.getInstance("PKIX");
        trust.init(trusted);
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(keys.getKeyManagers(), trust.getTrustManagers(), null);
        String protocol;
        try (SSLServerSocket server = (SSLServerSocket) context.getServerSocketFactory().createServerSocket(0)) {
            Thread peer = new Thread(() -> {
                try (SSLSocket socket = (SSLSocket) server.accept()) {
                    socket.getOutputStream().write(42);
                } catch (Exception ignored) {
                    // The client tells.
                }
            });
            peer.start();
            try (SSLSocket socket = (SSLSocket) context.getSocketFactory()
                    .createSocket("localhost", server.getLocalPort())) {
                int answer = socket.getInputStream().read();
                protocol = socket.getSession().getProtocol() + " " + answer;
            }
            peer.join();
        }
        TrustManagerFactory usual = TrustManagerFactory.getInstance("PKIX");
        usual.init((KeyStore) null);
        int authorities = ((javax.net.ssl.X509TrustManager) usual.getTrustManagers()[0]).getAcceptedIssuers().length;
        Cipher cipher = Cipher.getInstance("AES/GCM/NoPadding");
        cipher.init(Cipher.ENCRYPT_MODE, new SecretKeySpec(new byte[16], "AES"), new GCMParameterSpec(128, new byte[12]));
        String digest = HexFormat.of().formatHex(MessageDigest.getInstance("SHA3-256").digest()).substring(0, 8);
        return protocol + "\nauthorities " + (authorities > 0) + "\ngcm " + cipher.doFinal(new byte[1]).length
            + "\nsha3 " + digest + "\nproviders " + Security.getProviders().length;
    }
}
