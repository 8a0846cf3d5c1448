package se.sdkportal.oxalis;

import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.security.cert.CertPathValidator;
import java.security.cert.CertificateFactory;
import java.security.cert.PKIXParameters;
import java.security.cert.PKIXRevocationChecker;
import java.security.cert.X509Certificate;
import java.util.EnumSet;
import java.util.List;
import network.oxalis.vefa.peppol.common.code.Service;
import network.oxalis.vefa.peppol.security.api.CertificateValidator;
import network.oxalis.vefa.peppol.security.lang.PeppolSecurityException;

/** Access points' certificates: issued by a CA of the federation, in time, and not revoked. */
final class Trust implements CertificateValidator {
  private final KeyStore authorities;

  Trust(KeyStore authorities) {
    this.authorities = authorities;
  }

  @Override
  public void validate(Service service, X509Certificate certificate) throws PeppolSecurityException {
    try {
      CertPathValidator validator = CertPathValidator.getInstance("PKIX");
      PKIXRevocationChecker revocation = (PKIXRevocationChecker) validator.getRevocationChecker();
      revocation.setOptions(EnumSet.of(PKIXRevocationChecker.Option.ONLY_END_ENTITY));
      PKIXParameters parameters = new PKIXParameters(authorities);
      parameters.addCertPathChecker(revocation);
      validator.validate(
          CertificateFactory.getInstance("X.509").generateCertPath(List.of(certificate)), parameters);
    } catch (GeneralSecurityException error) {
      throw new PeppolSecurityException(error.getMessage(), error);
    }
  }
}
