package orders;

public final class Broken implements Report {
    public String print(String argument) {
        throw new IllegalStateException("broken on purpose");
    }
}
