import java.io.FileInputStream;
import java.util.zip.CRC32;
import java.util.zip.ZipEntry;
import java.util.zip.ZipInputStream;

/** Reads an archive from its beginning, as a program that gets it over the net does. */
class ReadZip {
    public static void main(String[] files) throws Exception {
        try (ZipInputStream archive = new ZipInputStream(new FileInputStream(files[0]))) {
            for (ZipEntry entry; (entry = archive.getNextEntry()) != null; ) {
                CRC32 sum = new CRC32();
                byte[] read = archive.readAllBytes();
                sum.update(read);
                System.out.println(read.length + " " + sum.getValue());
            }
        }
    }
}
