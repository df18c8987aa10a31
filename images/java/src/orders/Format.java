package orders;

/** How an order is printed; found by the service loader. */
public interface Format {
    String name();

    String print(String text, double price);
}
