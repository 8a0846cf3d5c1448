package se.sdkportal.peer;

import com.helger.collection.commons.CommonsArrayList;
import com.helger.phase4.crypto.AS4SigningParams;
import com.helger.phase4.crypto.IAS4CryptoFactory;
import com.helger.phase4.messaging.crypto.AS4Signer;
import com.helger.phase4.model.ESoapVersion;
import com.helger.phase4.util.AS4ResourceHelper;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.util.Base64;
import javax.xml.parsers.DocumentBuilderFactory;
import javax.xml.transform.TransformerFactory;
import javax.xml.transform.dom.DOMSource;
import javax.xml.transform.stream.StreamResult;
import org.w3c.dom.Document;
import org.w3c.dom.Element;
import org.w3c.dom.Node;
import org.w3c.dom.NodeList;

/**
 * Receipts of phase4's that are made wrong and signed anew: "digests", "reference" (of another message), "less" (the payload
 * is not in them), "more" (as if more had been sent), "unsigned", "signer" (by another's key). Right with "".
 */
final class Receipts {
  private static final String WSU =
      "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd";
  private final IAS4CryptoFactory own;
  private final IAS4CryptoFactory other;
  private final String wrong;

  Receipts(String wrong, IAS4CryptoFactory own, IAS4CryptoFactory other) {
    this.wrong = wrong;
    this.own = own;
    this.other = other;
  }

  /** An answer as it is to be sent; errors are left as they are. */
  byte[] sent(byte[] answer) throws Exception {
    if (wrong.isEmpty()) {
      return answer;
    }
    DocumentBuilderFactory factory = DocumentBuilderFactory.newInstance();
    factory.setNamespaceAware(true);
    Document signal = factory.newDocumentBuilder().parse(new ByteArrayInputStream(answer));
    if (signal.getElementsByTagNameNS("*", "Receipt").getLength() == 0) {
      return answer;
    }
    remove(only(signal, "Security"));
    change(signal);
    if (!"unsigned".equals(wrong)) {
      signal = signed(signal);
    }
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    TransformerFactory.newInstance().newTransformer().transform(new DOMSource(signal), new StreamResult(out));
    return out.toByteArray();
  }

  private void change(Document signal) {
    NodeList parts = signal.getElementsByTagNameNS("*", "MessagePartNRInformation");
    Element last = (Element) parts.item(parts.getLength() - 1);
    switch (wrong) {
      case "digests":
        last.getElementsByTagNameNS("*", "DigestValue")
            .item(0)
            .setTextContent(Base64.getEncoder().encodeToString(new byte[32]));
        break;
      case "reference":
        only(signal, "RefToMessageId").setTextContent("another-message@phase4");
        break;
      case "less":
        remove(last);
        break;
      case "more":
        Element more = (Element) last.cloneNode(true);
        ((Element) more.getElementsByTagNameNS("*", "Reference").item(0)).setAttribute("URI", "cid:another-part");
        last.getParentNode().appendChild(more);
        break;
      default:
    }
  }

  private Document signed(Document signal) throws Exception {
    try (AS4ResourceHelper resources = new AS4ResourceHelper()) {
      return AS4Signer.createSignedMessage(
          "signer".equals(wrong) ? other : own,
          signal,
          ESoapVersion.SOAP_12,
          only(signal, "Messaging").getAttributeNS(WSU, "Id"),
          new CommonsArrayList<>(),
          resources,
          true,
          AS4SigningParams.createDefault());
    }
  }

  private static Element only(Document document, String name) {
    return (Element) document.getElementsByTagNameNS("*", name).item(0);
  }

  private static void remove(Node node) {
    node.getParentNode().removeChild(node);
  }
}
