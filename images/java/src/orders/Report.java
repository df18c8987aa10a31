package orders;

public interface Report {
    String print(String argument) throws Exception;
}
