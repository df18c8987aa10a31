package orders;

import java.lang.management.ManagementFactory;
import java.net.InetAddress;
import java.nio.file.Files;
import java.nio.file.Path;

/** The process, a name, a file, a program and HTTP as a client. */
public final class Machine implements Report {
    public String print(String argument) throws Exception {
        Path file = Files.createTempFile("orders", ".txt");
        Files.writeString(file, "text");
        Process process = new ProcessBuilder("cat", file.toString()).start();
        String read = new String(process.getInputStream().readAllBytes());
        String type = Files.probeContentType(Path.of("x.html"));
        var client = java.net.http.HttpClient.newHttpClient();
        var request = java.net.http.HttpRequest.newBuilder(java.net.URI.create("http://localhost:8080/")).build();
        String body = client.send(request, java.net.http.HttpResponse.BodyHandlers.ofString()).body();
        return read + "\n" + type + "\n" + body + "\n" + InetAddress.getByName("localhost").isLoopbackAddress()
            + "\n" + (ManagementFactory.getRuntimeMXBean().getUptime() > 0)
            + "\n" + System.getProperty("user.name") + "\n" + Files.getOwner(Path.of("/opt/orders/orders.jar"));
    }
}
