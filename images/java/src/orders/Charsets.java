package orders;

import java.nio.charset.Charset;
import java.util.HexFormat;

/** The bytes of a text in charsets, some of them of jdk.charsets. */
public final class Charsets implements Report {
    public String print(String argument) throws Exception {
        StringBuilder all = new StringBuilder();
        for (String name : new String[] {"windows-1252", "Shift_JIS", "EUC-KR", "IBM037", "Big5-HKSCS"}) {
            byte[] bytes = "é日한A".getBytes(Charset.forName(name));
            all.append(name).append(' ').append(HexFormat.of().formatHex(bytes)).append('\n');
        }
        return all + Charset.defaultCharset().name();
    }
}
