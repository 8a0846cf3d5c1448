package se.sdkportal.oxalis;

import com.google.inject.Inject;
import com.google.inject.Singleton;
import java.security.KeyStore;
import network.oxalis.as4.inbound.SetPolicyOutInterceptor;
import network.oxalis.as4.util.PolicyService;
import org.apache.cxf.binding.soap.SoapMessage;
import org.apache.cxf.rt.security.SecurityConstants;
import org.apache.cxf.ws.policy.PolicyConstants;
import org.apache.neethi.Policy;
import org.apache.wss4j.common.crypto.Merlin;

/** How an answer is signed: as Oxalis does, by another's key, or not at all. */
@Singleton
class ReceiptSecurity extends SetPolicyOutInterceptor {
  private final Receipts receipts;

  @Inject
  ReceiptSecurity(PolicyService policies, Receipts receipts) {
    super(policies);
    this.receipts = receipts;
  }

  @Override
  public void handleMessage(SoapMessage message) {
    super.handleMessage(message);
    KeyStore other = receipts.otherSigner();
    if (other != null) {
      Merlin crypto = new Merlin();
      crypto.setKeyStore(other);
      message.put(SecurityConstants.SIGNATURE_CRYPTO, crypto);
    }
    if (receipts.isUnsigned()) {
      message.put(PolicyConstants.POLICY_OVERRIDE, new Policy());
    }
  }
}
