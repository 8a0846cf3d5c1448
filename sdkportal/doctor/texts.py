"""What checks and findings are called on pages and by the command, and what to do about each."""

from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as lazy

NAMES: Final[dict[str, Promise]] = {
    "settings": lazy("Inställningar"),
    "database": lazy("Databas"),
    "extensions": lazy("Databasens tillägg"),
    "rights": lazy("Rättigheter i databasen"),
    "migrations": lazy("Tabellernas version"),
    "database-clock": lazy("Databasens klocka"),
    "clock": lazy("Klockan"),
    "broker": lazy("Meddelandekö (Redis eller Valkey)"),
    "workers": lazy("Arbetsprocesser"),
    "beat": lazy("Tidsstyrning (beat)"),
    "queues": lazy("Väntande arbete"),
    "dead-letters": lazy("Lagda åt sidan"),
    "message-services": lazy("Andra meddelandetjänster"),
    "storage": lazy("Lagring"),
    "work-directory": lazy("Arbetskatalog"),
    "case-system-directory": lazy("Ärendesystemens katalog"),
    "disks": lazy("Diskutrymme"),
    "scanner": lazy("Kontroll av skadlig kod (ClamAV)"),
    "static-files": lazy("Sidornas stilmallar och skript"),
    "access-point-key": lazy("Accesspunktens nycklar"),
    "data-keys": lazy("Nycklar till det lagrade"),
    "certificates": lazy("Certifikat"),
    "revocation": lazy("Spärrkontroll (CRL, OCSP)"),
    "sml": lazy("Federationens register (SML)"),
    "smp": lazy("Publicerade accesspunkter (SMP)"),
    "certpub": lazy("Publicerade certifikat (CertPub)"),
    "round-trip": lazy("Provmeddelande ut och in"),
    "address-book": lazy("Adressbok"),
    "eid": lazy("Inloggning med e-legitimation"),
    "saml": lazy("Inloggning med SAML"),
    "mail": lazy("E-post"),
    "pages": lazy("Sidorna"),
    "backup": lazy("Säkerhetskopia"),
}
# By the code of a finding.
ADVICE: Final[dict[str, Promise]] = {
    "database-unavailable": lazy(
        "Starta PostgreSQL, och se efter att SDK_DATABASE_URL och max_connections stämmer."
    ),
    "no-answer-in-time": lazy(
        "Kontrollen blev inte klar i tid. Se efter om tjänsten som den frågar svarar, och kör den igen."
    ),
    "unexpected": lazy("Ett oväntat fel. Processens logg har dess plats under unexpected_error."),
    "database-old": lazy("Uppgradera till PostgreSQL 15 eller nyare."),
    "extension-missing": lazy(
        "Installera postgresql-contrib och kör deploy/postgresql/roles.sql som superanvändare."
    ),
    "tables-missing": lazy("Kör sdkportal migrate som databasens ägare."),
    "access-log-trigger-missing": lazy(
        "Återställ databasen eller kontakta leverantören: åtkomstloggen kan skrivas om. Kör sdkportal"
        " verify_access_log."
    ),
    "access-log-unguarded": lazy(
        "Rollen kan ta bort skyddet för åtkomstloggen. Kör deploy/postgresql/roles.sql och "
        "grants.sql, och låt SDK_DATABASE_URL ange rollen sdkportal."
    ),
    "rights-missing": lazy("Kör deploy/postgresql/grants.sql som databasens ägare."),
    "migrations-unapplied": lazy(
        "Kör sdkportal migrate som databasens ägare, och sedan deploy/postgresql/grants.sql."
    ),
    "database-newer-than-code": lazy(
        "Koden är äldre än databasen. Installera den version som senast kördes."
    ),
    "clock-wrong": lazy("Ställ klockan med NTP (timedatectl) på den maskin som går fel."),
    "clock-not-compared": lazy(
        "Se efter att SDK_ADDRESS_BOOK_URL eller e-legitimationens tjänst går att nå."
    ),
    "setting": lazy("Ändra inställningen. docs/production.md beskriver den."),
    "static-files-missing": lazy("Kör sdkportal collectstatic --noinput, och starta om sidornas processer."),
    "storage": lazy(
        "Se efter att SDK_DATA_DIR, eller bucketen i SDK_S3_BUCKET, kan skrivas av tjänstens användare."
    ),
    "work-directory": lazy("Se efter att SDK_WORK_DIR finns och kan skrivas av tjänstens användare."),
    "work-directory-open": lazy("Stäng katalogen för andra användare: chmod 0700."),
    "case-system-directory": lazy(
        "Se efter att SDK_CASE_SYSTEM_DIRECTORY finns, kan skrivas av tjänstens användare och står bland "
        "ReadWritePaths i enheterna."
    ),
    "case-system-directory-open": lazy("Paketen där är i klartext. Stäng katalogen för andra användare."),
    "disk-full": lazy("Frigör eller utöka diskutrymmet."),
    "scanner-blind": lazy("ClamAV hittar inte sin provfil. Kör freshclam och starta om clamav-daemon."),
    "scanner-stream-limit": lazy("Höj StreamMaxLength i clamd.conf: den största bilagan släpps inte igenom."),
    "scanner-unavailable": lazy(
        "Starta clamav-daemon, och se efter att SDK_CLAMD stämmer och att tjänstens användare når "
        "den. Meddelanden väntar så länge."
    ),
    "scanner-size-limit": lazy(
        "Höj MaxFileSize och MaxScanSize i clamd.conf: slutet av den största bilagan undersöks inte."
    ),
    "scanner-signatures": lazy("Starta clamav-freshclam, som håller signaturerna färska."),
    "backup-unknown": lazy(
        "Låt säkerhetskopieringen röra en fil när den har lyckats, och ange filen i SDK_BACKUP_FILE."
    ),
    "backup-missing": lazy(
        "Ingen säkerhetskopiering har lyckats än, eller SDK_BACKUP_FILE är fel fil. Filen ska röras "
        "när en har lyckats."
    ),
    "backup-old": lazy("Se efter varför säkerhetskopieringen inte har lyckats på länge (SDK_BACKUP_HOURS)."),
    "broker-unavailable": lazy(
        "Starta Redis eller Valkey, och se efter att SDK_BROKER_URL och SDK_BROKER_PASSWORD stämmer."
    ),
    "broker-evicts": lazy("Sätt maxmemory-policy noeviction, som i deploy/valkey/sdkportal.conf."),
    "queue-without-worker": lazy(
        "Starta de arbetsprocesser som saknas: sdkportal-worker, sdkportal-transport, sdkportal-notices."
    ),
    "beat-silent": lazy("Starta sdkportal-beat."),
    "jobs-late": lazy(
        "Se efter att arbetsprocesserna lever, och vad de väntar på i sina loggar; starta fler om de "
        "inte hinner."
    ),
    "dead-letters": lazy("Inkomna meddelanden väntar på beslut under Administration, Motparter."),
    "message-service-silent": lazy(
        "En annan meddelandetjänst svarar inte. Se Administration, Andra meddelandetjänster."
    ),
    "message-service-set-aside": lazy(
        "Meddelanden från en annan meddelandetjänst har inte kunnat levereras. "
        "Se Administration, Andra meddelandetjänster."
    ),
    "mail-not-set": lazy("Ange SDK_MAIL_HOST: ingen får varningar eller aviseringar."),
    "mail-unavailable": lazy(
        "Se efter att e-postservern går att nå, och att SDK_MAIL_USER, SDK_MAIL_PASSWORD och "
        "SDK_MAIL_STARTTLS stämmer."
    ),
    "eid-unavailable": lazy("Se efter att SDK_OIDC_ISSUER stämmer och går att nå: ingen kan logga in."),
    "saml-unavailable": lazy(
        "Se efter att SDK_SAML_METADATA, SDK_SAML_METADATA_CERTIFICATE och SDK_SAML_PROVIDERS stämmer, och "
        "att arbetsprocesserna når adressen: ingen kan logga in med SAML."
    ),
    "saml-key": lazy(
        "Se efter att SDK_SAML_KEY, SDK_SAML_CERTIFICATE och SDK_SAML_OTHER_KEYS anger PEM-filer."
    ),
    "saml-program": lazy("Installera xmlsec1, eller ange var det finns i SDK_SAML_XMLSEC1."),
    "saml-certificate": lazy(
        "Byt SAML-nyckel: lägg den nya i SDK_SAML_OTHER_KEYS tills tjänsten har läst om den."
    ),
    "pages-unavailable": lazy("Starta sdkportal-web och nginx, och se efter att SDK_PUBLIC_URL stämmer."),
    "access-point-key": lazy(
        "Se efter att SDK_ACCESS_POINT_KEY och SDK_ACCESS_POINT_CERTIFICATE anger läsbara PEM-filer."
    ),
    "key-unreadable": lazy("Se efter att inställningarna anger PEM-filer som tjänstens användare kan läsa."),
    "key-not-of-certificate": lazy("Nyckeln och certifikatet hör inte ihop. Ange rätt filer."),
    "key-open": lazy("Stäng nyckelfilen för andra användare: chmod 0600."),
    "wrapping-key": lazy("Ange SDK_WRAPPING_KEY, eller se efter att PKCS#11-modulen svarar."),
    "data-key-closed": lazy(
        "Sätt den tidigare nyckeln i SDK_OLD_WRAPPING_KEYS: organisationens innehåll kan inte öppnas."
    ),
    "organisation-key-missing": lazy(
        "Begär eller läs in ett certifikat under Administration, Certifikat, eller med sdkportal "
        "request_certificate."
    ),
    "organisation-missing": lazy("Kör sdkportal setup, eller add_organisation och import_key."),
    "certificate-ends": lazy("Begär ett nytt certifikat i tid; docs/keys.md beskriver bytet."),
    "certificate-awaits-publication": lazy("Lämna certifikatet till federationens operatör för CertPub."),
    "sml-unknown": lazy("Be federationens operatör registrera organisationen i SML."),
    "sml-unavailable": lazy(
        "Se efter att namnservrarna svarar (SDK_DNS_SERVERS) och att SDK_SML_ZONE stämmer."
    ),
    "smp-unavailable": lazy("Se efter att federationens SMP går att nå härifrån med HTTPS."),
    "smp-wrong": lazy(
        "Be federationens operatör rätta vad SMP publicerar, och se efter CA-certifikaten i "
        "SDK_TRUST_DIR/smp."
    ),
    "smp-other-certificate": lazy(
        "Andra krypterar för ett annat certifikat än accesspunktens. Låt uppdatera SMP, eller ange "
        "den nyckel som hör till i SDK_ACCESS_POINT_OLD_KEYS."
    ),
    "smp-not-moved": lazy(
        "Organisationen använder en annan meddelandetjänst, men SMP leder andras meddelanden hit, där de "
        "inte kan öppnas. Låt uppdatera SMP, eller låt organisationen använda den egna tjänsten."
    ),
    "certpub-wrong": lazy(
        "Lämna organisationens certifikat till federationens operatör: mottagarna avvisar det som "
        "signeras nu."
    ),
    "certpub-not-opened": lazy(
        "Läs in den nyckel som hör till det publicerade certifikatet, eller låt publicera det som finns här."
    ),
    "revocation-unavailable": lazy("Se efter att CA:ns CRL och OCSP går att nå härifrån med HTTP."),
    "certificate-untrusted": lazy(
        "Se efter CA-certifikaten i SDK_TRUST_DIR. Är certifikatet spärrat måste det bytas."
    ),
    "round-trip": lazy(
        "Se efter accesspunktens process, nginx, brandväggen och TLS-certifikaten åt båda håll."
    ),
    "address-book-not-set": lazy("Ange SDK_ADDRESS_BOOK_URL: inga mottagare kan väljas."),
    "address-book-unavailable": lazy("Se efter att SDK_ADDRESS_BOOK_URL stämmer och går att nå."),
    "address-book-old": lazy("Kör sdkportal sync_address_book; den säger varför kopian inte kan göras."),
}
