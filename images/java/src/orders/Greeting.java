package orders;

import java.util.Locale;
import java.util.ResourceBundle;

/** A text from a bundle. */
public final class Greeting implements Report {
    public String print(String language) {
        return ResourceBundle.getBundle("messages", Locale.forLanguageTag(language)).getString("greeting");
    }
}
