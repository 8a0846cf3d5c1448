package se.sdkportal.peer;

import com.helger.base.state.ETriState;
import com.helger.diagnostics.error.SingleError;
import com.helger.diagnostics.error.list.ErrorList;
import com.helger.phase4.CAS4;
import com.helger.phase4.crypto.ECryptoAlgorithmCrypt;
import com.helger.phase4.crypto.ECryptoAlgorithmSign;
import com.helger.phase4.crypto.ECryptoAlgorithmSignDigest;
import com.helger.phase4.ebms3header.Ebms3UserMessage;
import com.helger.phase4.mgr.MetaAS4Manager;
import com.helger.phase4.model.EMEP;
import com.helger.phase4.model.EMEPBinding;
import com.helger.phase4.model.pmode.IPModeIDProvider;
import com.helger.phase4.model.pmode.PMode;
import com.helger.phase4.model.pmode.PModeParty;
import com.helger.phase4.model.pmode.PModeReceptionAwareness;
import com.helger.phase4.model.pmode.leg.EPModeSendReceiptReplyPattern;
import com.helger.phase4.model.pmode.leg.PModeLeg;
import com.helger.phase4.model.pmode.leg.PModeLegBusinessInformation;
import com.helger.phase4.model.pmode.leg.PModeLegErrorHandling;
import com.helger.phase4.model.pmode.leg.PModeLegProtocol;
import com.helger.phase4.model.pmode.leg.PModeLegSecurity;
import com.helger.phase4.profile.AS4Profile;
import com.helger.phase4.profile.IAS4ProfileValidator;
import com.helger.phase4.wss.EWSSVersion;
import java.util.Set;
import java.util.stream.Collectors;

/** The federation's AS4 profile (C3.2.1) for phase4: one-way push, four corners, one payload, no agreement. */
final class FederationProfile {
  static final String ID = "federation";
  private static final IPModeIDProvider IDENTIFIERS = IPModeIDProvider.DEFAULT_DYNAMIC;
  private static final int KEY_BITS = 128;
  private static final int RETRIES = 1;
  private static final long RETRY_INTERVAL_MS = 10_000;

  private FederationProfile() {}

  /** Make it known to phase4. */
  static void register() {
    MetaAS4Manager.getProfileMgr()
        .registerProfile(
            new AS4Profile(
                ID,
                "Federation",
                Validator::new,
                FederationProfile::mode,
                IDENTIFIERS,
                false, // not deprecated
                false)); // nobody is told of a ping
  }

  static PMode mode(String initiatorName, String responderName, String url) {
    PModeParty initiator = PModeParty.createSimple(initiatorName, CAS4.DEFAULT_INITIATOR_URL);
    PModeParty responder = PModeParty.createSimple(responderName, CAS4.DEFAULT_RESPONDER_URL);
    PModeLeg leg =
        new PModeLeg(
            PModeLegProtocol.createForDefaultSoapVersion(url),
            PModeLegBusinessInformation.create(null, CAS4.DEFAULT_ACTION_URL, null, CAS4.DEFAULT_MPC_ID),
            errorHandling(),
            null,
            security());
    PModeReceptionAwareness awareness =
        new PModeReceptionAwareness(
            ETriState.TRUE, ETriState.TRUE, RETRIES, RETRY_INTERVAL_MS, ETriState.TRUE);
    return new PMode(
        IDENTIFIERS.getPModeID(initiator, responder),
        initiator,
        responder,
        null,
        EMEP.ONE_WAY,
        EMEPBinding.PUSH,
        leg,
        null,
        null,
        awareness);
  }

  private static PModeLegErrorHandling errorHandling() {
    PModeLegErrorHandling handling = PModeLegErrorHandling.createUndefined();
    handling.setReportAsResponse(true);
    handling.setReportProcessErrorNotifyConsumer(true);
    handling.setReportProcessErrorNotifyProducer(true);
    handling.setReportDeliveryFailuresNotifyProducer(true);
    return handling;
  }

  private static PModeLegSecurity security() {
    PModeLegSecurity security = new PModeLegSecurity();
    security.setWSSVersion(EWSSVersion.WSS_111);
    security.setX509SignatureAlgorithm(ECryptoAlgorithmSign.RSA_SHA_256);
    security.setX509SignatureHashFunction(ECryptoAlgorithmSignDigest.DIGEST_SHA_256);
    security.setX509EncryptionAlgorithm(ECryptoAlgorithmCrypt.AES_128_GCM);
    security.setX509EncryptionMinimumStrength(KEY_BITS);
    security.setPModeAuthorize(false);
    security.setSendReceipt(true);
    security.setSendReceiptNonRepudiation(true);
    security.setSendReceiptReplyPattern(EPModeSendReceiptReplyPattern.RESPONSE);
    return security;
  }

  /** What every user message of the federation has. */
  private static final class Validator implements IAS4ProfileValidator {
    private static final Set<String> PROPERTIES = Set.of("originalSender", "finalRecipient");

    @Override
    public void validateUserMessage(Ebms3UserMessage message, ErrorList errors) {
      Set<String> names =
          message.getMessageProperties() == null
              ? Set.of()
              : message.getMessageProperties().getProperty().stream()
                  .map(property -> property.getName())
                  .collect(Collectors.toSet());
      if (!names.containsAll(PROPERTIES)) {
        errors.add(SingleError.builderError().errorText("originalSender or finalRecipient is missing").build());
      }
    }
  }
}
