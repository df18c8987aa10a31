package orders;

import java.text.NumberFormat;
import java.time.Instant;
import java.time.ZoneId;
import java.time.format.DateTimeFormatter;
import java.time.format.FormatStyle;
import java.util.Locale;

/** Times and numbers of a place: LANGUAGE/ZONE. */
public final class Times implements Report {
    public String print(String argument) {
        String[] parts = argument.split("/", 2);
        Locale locale = Locale.forLanguageTag(parts[0]);
        return DateTimeFormatter.ofLocalizedDateTime(FormatStyle.FULL)
                .withLocale(locale)
                .withZone(ZoneId.of(parts[1]))
                .format(Instant.ofEpochSecond(1_768_478_400L))
            + "\n" + NumberFormat.getCurrencyInstance(locale).format(1234.5)
            + "\n" + ZoneId.systemDefault();
    }
}
