import java.io.FileInputStream;
import java.io.InputStream;
import org.verapdf.gf.foundry.VeraGreenfieldFoundryProvider;
import org.verapdf.pdfa.Foundries;
import org.verapdf.pdfa.PDFAParser;
import org.verapdf.pdfa.PDFAValidator;
import org.verapdf.pdfa.flavours.PDFAFlavour;
import org.verapdf.pdfa.results.TestAssertion;
import org.verapdf.pdfa.results.ValidationResult;

/** Prints "compliant FLAVOUR", or a line for each rule that a PDF breaks. */
public final class Validate {
    public static void main(String[] arguments) throws Exception {
        VeraGreenfieldFoundryProvider.initialise();
        PDFAFlavour flavour = PDFAFlavour.byFlavourId(arguments[1]);
        try (InputStream source = new FileInputStream(arguments[0]);
                PDFAParser parser = Foundries.defaultInstance().createParser(source, flavour)) {
            PDFAValidator validator = Foundries.defaultInstance().createValidator(flavour, false);
            ValidationResult result = validator.validate(parser);
            if (result.isCompliant()) {
                System.out.println("compliant " + flavour.getId());
            }
            for (TestAssertion broken : result.getTestAssertions()) {
                System.out.println(broken.getRuleId().getClause() + ": " + broken.getMessage());
            }
        }
    }
}
