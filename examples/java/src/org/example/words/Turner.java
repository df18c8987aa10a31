package org.example.words;

/** Something that turns words; implementations are named in META-INF/services. */
public interface Turner {
    String name();

    String turn(String word);
}
