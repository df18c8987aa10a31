package orders;

import java.util.ServiceLoader;

/** What the plug-ins make of an order. */
public final class Formats implements Report {
    public String print(String argument) {
        StringBuilder all = new StringBuilder();
        for (Format format : ServiceLoader.load(Format.class)) {
            all.append(format.name()).append(": ").append(format.print("tea", 2.5)).append('\n');
        }
        return all.toString();
    }
}
