package formats;

public final class Plain implements orders.Format {
    public String name() {
        return "plain";
    }

    public String print(String text, double price) {
        return String.format(java.util.Locale.GERMANY, "%s %.2f", text, price);
    }
}
