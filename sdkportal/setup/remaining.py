"""What is left to do after setup: files to put in place, and what to register at the federation."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from django.conf import settings

from transport.message_service.models import Organisation, OrganisationKey


def remaining() -> Iterator[str]:
    """A line for each thing that is left, in the order in which it is done."""
    for name in ("access-points", "smp", "organisations"):
        directory = Path(settings.SDK_TRUST_DIR) / name
        if not any(path.is_file() for path in directory.rglob("*")):
            yield f"put the federation's CA certificates for {name} into {directory}"
    if not settings.SDK_DROP_DIR:
        yield from _files()
    for organisation in Organisation.objects.prefetch_related("keys").order_by("participant_id"):
        yield from _of(organisation)
    if settings.OIDC_ISSUER:
        public = settings.SDK_PUBLIC_URL
        yield (
            f"register at the e-ID provider: client id {settings.OIDC_RP_CLIENT_ID}, redirect address "
            f"{public}/oidc/callback/, back-channel logout {public}/oidc/utloggad"
        )
    if settings.SDK_SAML_METADATA:
        yield (
            f"register at the SAML federation or the provider: the metadata at {settings.SDK_PUBLIC_URL}"
            "/saml/metadata, once SDK_SAML_KEY and SDK_SAML_CERTIFICATE are in place"
        )
    if settings.SDK_WRAPPING_KEY:
        yield "keep a copy of SDK_WRAPPING_KEY apart from the backups: without it nothing stored opens"
    yield "start the units, then run `sdkportal doctor` until it says that all is well"


def _files() -> Iterator[str]:
    if not Path(settings.SDK_ACCESS_POINT_CERTIFICATE).is_file():
        yield (
            "send the access point's request to the federation's operator (C3.4.3); put the certificate into "
            f"{settings.SDK_ACCESS_POINT_CERTIFICATE}"
        )
    tls = {"key": settings.SDK_TLS_CLIENT_KEY, "certificate": settings.SDK_TLS_CLIENT_CERTIFICATE}
    for what, path in tls.items():
        if not Path(path).is_file():
            yield f"put the TLS client's {what} into {path}"
    yield (
        "have the federation's operator register the access point in the SMP: address https://"
        f"{_host_of_access_point()}/as4, for each organisation and document type"
    )


def _host_of_access_point() -> str:
    """The first host name that is not the pages'; theirs, where there is one name for both."""
    pages = urlsplit(settings.SDK_PUBLIC_URL).hostname
    others = [host for host in settings.ALLOWED_HOSTS if host != pages]
    return next(iter([*others, *settings.ALLOWED_HOSTS]), "...")


def _of(organisation: Organisation) -> Iterator[str]:
    keys = list(organisation.keys.all())
    whose = organisation.participant_id
    for purpose in OrganisationKey.Purpose:
        held = [key for key in keys if key.purpose == purpose]
        if not held:
            yield (
                f"{whose}: have the {purpose} certificate issued, then sdkportal import_certificate FILE "
                f"--organisation {whose}"
            )
        elif not any(key.published_at for key in held):
            yield f"{whose}: give the {purpose} certificate to the federation's operator for CertPub"
    yield f"{whose}: have it registered in the SML and the address book, if it is not yet"
