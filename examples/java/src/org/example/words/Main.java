package org.example.words;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetSocketAddress;
import java.nio.charset.Charset;
import java.nio.charset.StandardCharsets;
import java.time.LocalDate;
import java.time.ZoneId;
import java.time.ZonedDateTime;
import java.time.format.DateTimeFormatter;
import java.time.format.FormatStyle;
import java.util.HexFormat;
import java.util.Locale;
import java.util.ServiceLoader;
import java.security.MessageDigest;
import java.security.KeyPairGenerator;
import java.security.spec.ECGenParameterSpec;
import java.util.concurrent.Executors;

/** Counts and turns words over HTTP. */
public final class Main {
    private interface Page {
        String of(HttpExchange exchange) throws Exception;
    }

    public static void main(String[] args) throws IOException {
        int port = Integer.parseInt(System.getenv().getOrDefault("PORT", "8080"));
        HttpServer server = HttpServer.create(new InetSocketAddress(port), 0);
        page(server, "/", exchange -> resource("/index.html"));
        page(server, "/turn", Main::turn);
        page(server, "/date", Main::date);
        page(server, "/time", exchange -> ZonedDateTime.of(2024, 7, 1, 10, 0, 0, 0, ZoneId.of("UTC"))
                .withZoneSameInstant(ZoneId.of(exchange.getRequestURI().getQuery())).toString());
        page(server, "/charset", exchange ->
                HexFormat.of().formatHex("日本".getBytes(Charset.forName(exchange.getRequestURI().getQuery()))));
        page(server, "/digest", exchange -> HexFormat.of().formatHex(
                MessageDigest.getInstance("SHA-256").digest("whit".getBytes(StandardCharsets.UTF_8))));
        page(server, "/key", exchange -> {
            KeyPairGenerator keys = KeyPairGenerator.getInstance("EC");
            keys.initialize(new ECGenParameterSpec("secp256r1"));
            return keys.generateKeyPair().getPublic().getAlgorithm();
        });
        server.setExecutor(Executors.newFixedThreadPool(4));
        server.start();
        System.out.println("listening on " + port);
    }

    private static void page(HttpServer server, String path, Page page) {
        server.createContext(path, exchange -> {
            int status = 200;
            String text;
            try {
                text = path.equals(exchange.getRequestURI().getPath()) ? page.of(exchange) : null;
                if (text == null) {
                    status = 404;
                    text = "nothing here\n";
                }
            } catch (Exception problem) {
                status = 400;
                text = problem + "\n";
            }
            byte[] body = text.getBytes(StandardCharsets.UTF_8);
            exchange.getResponseHeaders().set("Content-Type",
                    text.startsWith("<") ? "text/html; charset=utf-8" : "text/plain; charset=utf-8");
            exchange.sendResponseHeaders(status, body.length);
            try (var out = exchange.getResponseBody()) {
                out.write(body);
            }
        });
    }

    private static String resource(String name) throws IOException {
        try (InputStream in = Main.class.getResourceAsStream(name)) {
            return new String(in.readAllBytes(), StandardCharsets.UTF_8);
        }
    }

    /** {@code ?upper=word}: the turner of that name, found as a service. */
    private static String turn(HttpExchange exchange) {
        String[] query = exchange.getRequestURI().getQuery().split("=", 2);
        for (Turner turner : ServiceLoader.load(Turner.class)) {
            if (turner.name().equals(query[0])) {
                return turner.turn(query[1]) + "\n";
            }
        }
        throw new IllegalArgumentException("no turner " + query[0]);
    }

    private static String date(HttpExchange exchange) {
        Locale locale = Locale.forLanguageTag(exchange.getRequestURI().getQuery());
        return LocalDate.of(2024, 7, 1)
                .format(DateTimeFormatter.ofLocalizedDate(FormatStyle.FULL).withLocale(locale)) + "\n";
    }
}
