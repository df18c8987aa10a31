package org.example.words;

import java.util.Locale;

public final class Upper implements Turner {
    @Override
    public String name() {
        return "upper";
    }

    @Override
    public String turn(String word) {
        return word.toUpperCase(Locale.ROOT);
    }
}
