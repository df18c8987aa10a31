package orders;

import java.awt.Color;
import java.awt.Graphics2D;
import java.awt.image.BufferedImage;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import javax.imageio.ImageIO;

/** A picture drawn and read again, without a screen. */
public final class Pictures implements Report {
    public String print(String argument) throws Exception {
        BufferedImage image = new BufferedImage(8, 8, BufferedImage.TYPE_INT_RGB);
        Graphics2D graphics = image.createGraphics();
        graphics.setColor(Color.RED);
        graphics.fillRect(0, 0, 8, 8);
        graphics.dispose();
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        boolean written = ImageIO.write(image, "jpg", out) && ImageIO.write(image, "png", out);
        int red = new Color(ImageIO.read(new ByteArrayInputStream(out.toByteArray())).getRGB(4, 4)).getRed();
        return written + " " + (red > 200);
    }
}
