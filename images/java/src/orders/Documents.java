package orders;

import java.io.StringReader;
import java.io.StringWriter;
import java.util.logging.Level;
import java.util.logging.Logger;
import java.util.prefs.Preferences;
import javax.xml.parsers.DocumentBuilderFactory;
import javax.xml.transform.TransformerFactory;
import javax.xml.transform.stream.StreamResult;
import javax.xml.transform.stream.StreamSource;
import javax.xml.xpath.XPathFactory;
import org.w3c.dom.Document;
import org.xml.sax.InputSource;

/** XML read, searched and transformed; and a line in the log. */
public final class Documents implements Report {
    public String print(String argument) throws Exception {
        String text = "<orders><order price='2'/><order price='3'/></orders>";
        Document document = DocumentBuilderFactory.newInstance().newDocumentBuilder()
            .parse(new InputSource(new StringReader(text)));
        String sum = XPathFactory.newInstance().newXPath().evaluate("sum(//@price)", document);
        String sheet = "<xsl:stylesheet version='1.0' xmlns:xsl='http://www.w3.org/1999/XSL/Transform'>"
            + "<xsl:output method='text'/><xsl:template match='/'>"
            + "<xsl:value-of select='count(//order)'/></xsl:template></xsl:stylesheet>";
        StringWriter out = new StringWriter();
        TransformerFactory.newInstance().newTransformer(new StreamSource(new StringReader(sheet)))
            .transform(new StreamSource(new StringReader(text)), new StreamResult(out));
        Logger.getLogger("orders").log(Level.FINE, "summed");
        return "sum " + sum + "\ncount " + out + "\nsql " + java.sql.Types.VARCHAR
            + "\nprefs " + (Preferences.userRoot() != null);
    }
}
