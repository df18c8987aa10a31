package orders;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.Executors;
import java.util.logging.Logger;

/** Serves a report below each path; reports are classes found by name. */
public final class Main {
    private static final Logger LOG = Logger.getLogger("orders");

    public static void main(String[] arguments) throws Exception {
        if (arguments.length > 0) {
            System.out.println(report(arguments[0], arguments.length > 1 ? arguments[1] : ""));
            return;
        }
        HttpServer server = HttpServer.create(new InetSocketAddress(8080), 0);
        server.setExecutor(Executors.newCachedThreadPool());
        server.createContext("/", Main::answer);
        server.start();
        LOG.info("serving");
    }

    static String report(String name, String argument) throws Exception {
        String type = "orders." + Character.toUpperCase(name.charAt(0)) + name.substring(1);
        Report report = (Report) Class.forName(type).getDeclaredConstructor().newInstance();
        return report.print(argument);
    }

    private static void answer(HttpExchange exchange) throws IOException {
        String[] parts = exchange.getRequestURI().getPath().split("/", 3);
        int status = 200;
        String text;
        try {
            text = parts[1].isEmpty() ? "orders" : report(parts[1], parts.length > 2 ? parts[2] : "");
        } catch (ClassNotFoundException missing) {
            status = 404;
            text = "no report " + parts[1];
        } catch (Throwable broken) {
            status = 500;
            java.io.StringWriter trace = new java.io.StringWriter();
            broken.printStackTrace(new java.io.PrintWriter(trace));
            text = trace.toString();
        }
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        exchange.getResponseHeaders().set("Content-Type", "text/plain; charset=utf-8");
        exchange.sendResponseHeaders(status, bytes.length);
        exchange.getResponseBody().write(bytes);
        exchange.close();
    }
}
