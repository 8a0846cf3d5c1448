"""System checks of a node for `manage.py check`, beside Django's own."""

import logging
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from ipaddress import ip_network
from pathlib import Path
from typing import Any, Final, cast
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.db import connections

from mailbox import rendering
from mailbox.live import batches

from .unsafe_settings import is_loopback

# The threads of one process of the access point, as deploy/ has them.
_ACCESS_POINT_THREADS: Final = 64
# Beat, a management command or two, and whoever looks at the database.
_OTHERS: Final = 5
_SHORTEST_TOKEN: Final = 32
# The default of SDK_SML_ZONE.
_NO_ZONE: Final = "sml.example"


@register(Tags.database)
def check_database_connections(
    app_configs: Any, databases: Sequence[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """Checks that PostgreSQL accepts as many connections as all processes may open."""
    if "default" not in (databases or ()):
        return []
    with connections["default"].cursor() as cursor:
        cursor.execute(
            "SELECT current_setting('max_connections')::int "
            "- current_setting('superuser_reserved_connections')::int"
        )
        ((room,),) = cursor.fetchall()
    needed = connections_needed()
    if needed <= room:
        return []
    return [
        Error(
            f"PostgreSQL has room for {room} connections, and this node may open {needed}.",
            hint="Raise max_connections, or lower SDK_DATABASE_POOL or the numbers of processes "
            "(SDK_PAGES_PROCESSES, SDK_ACCESS_POINT_PROCESSES, SDK_WORKER_PROCESSES, "
            "SDK_TRANSPORT_PROCESSES, SDK_NOTICE_PROCESSES).",
            id="sdkportal.E001",
        )
    ]


def connections_needed() -> int:
    """The most connections that are open at once: the pools, for each process of the pages a listener and
    those of its streams, and for each worker its own and that of the thread that renews its lease."""
    pool = settings.SDK_DATABASE_POOL
    pages = settings.SDK_PAGES_PROCESSES * (pool + 1 + batches.CONNECTIONS)
    access_point = settings.SDK_ACCESS_POINT_PROCESSES * min(
        pool or _ACCESS_POINT_THREADS, _ACCESS_POINT_THREADS
    )
    workers = settings.SDK_WORKER_PROCESSES + settings.SDK_TRANSPORT_PROCESSES + settings.SDK_NOTICE_PROCESSES
    return pages + access_point + 2 * workers + _OTHERS


@register(Tags.security, deploy=True)
def check_deployment(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Settings that production needs and lacks, or that are risky there: each names the variable."""
    errors = [Error(text, id="sdkportal.E002") for text in _missing_settings()]
    return [*errors, *(Warning(text, id="sdkportal.W001") for text in _risky_settings())]


def _missing_settings() -> Iterator[str]:
    if not settings.ALLOWED_HOSTS:
        yield "SDK_ALLOWED_HOSTS is not set: no host name is answered to."
    if settings.DEMO or settings.DEBUG:
        yield "SDK_DEMO or SDK_DEBUG is set."
    if settings.OIDC_ISSUER or not settings.SDK_SAML_METADATA:
        if urlsplit(settings.OIDC_ISSUER).scheme != "https":
            yield "SDK_OIDC_ISSUER is no https address: nobody can log in."
        if not (settings.SDK_OIDC_CLIENT_KEY or settings.OIDC_RP_CLIENT_SECRET):
            yield "Neither SDK_OIDC_CLIENT_KEY nor SDK_OIDC_CLIENT_SECRET is set."
    if settings.SDK_SAML_METADATA:
        yield from _missing_saml_settings()
    if settings.SDK_SML_ZONE == _NO_ZONE:
        yield "SDK_SML_ZONE is not set: no recipient can be found."
    if not (settings.SDK_WRAPPING_KEY or settings.SDK_PKCS11_MODULE):
        yield "Neither SDK_WRAPPING_KEY nor SDK_PKCS11_MODULE is set: nothing can be stored."
    if not Path(settings.SDK_WORK_DIR).is_dir():
        yield "SDK_WORK_DIR cannot be made."
    if not settings.SDK_DROP_DIR:
        yield from _missing_access_point_settings()
    for name in ("ACCESS_POINT", "SMP", "ORGANISATION"):
        directory = Path(getattr(settings, f"SDK_{name}_CA_DIR"))
        if not any(path.is_file() for path in directory.rglob("*")):
            yield f"SDK_TRUST_DIR has no CA certificate in {directory.name}/."
    if settings.SDK_API_ISSUER and not settings.SDK_API_JWKS_URL:
        yield "SDK_API_ISSUER is set without SDK_API_JWKS_URL."
    if settings.SDK_TRACES_URL:
        if find_spec("opentelemetry") is None:
            yield "SDK_TRACES_URL is set without the packages of requirements-traces.txt: no trace is made."
        collector = urlsplit(settings.SDK_TRACES_URL)
        if collector.scheme != "https" and not is_loopback(collector.hostname or ""):
            yield "SDK_TRACES_URL is no https address and not on this machine: nothing is sent there."


def _missing_saml_settings() -> Iterator[str]:
    for name in ("SDK_SAML_PROVIDERS", "SDK_SAML_KEY", "SDK_SAML_CERTIFICATE"):
        if not getattr(settings, name):
            yield f"{name} is not set: nobody can log in by SAML."
    if "://" in settings.SDK_SAML_METADATA:
        if urlsplit(settings.SDK_SAML_METADATA).scheme != "https":
            yield "SDK_SAML_METADATA is no https address and no file."
        if not settings.SDK_SAML_METADATA_CERTIFICATE:
            yield "SDK_SAML_METADATA_CERTIFICATE is not set: metadata from an address has to be signed."
    if urlsplit(settings.SDK_PUBLIC_URL).scheme != "https":
        yield "SDK_PUBLIC_URL is no https address: providers of SAML cannot answer."
    if not Path(settings.SDK_SAML_XMLSEC1).is_file():
        yield "SDK_SAML_XMLSEC1 names no program: install xmlsec1."


def _missing_access_point_settings() -> Iterator[str]:
    for name in (
        "SDK_ACCESS_POINT_KEY",
        "SDK_ACCESS_POINT_CERTIFICATE",
        "SDK_TLS_CLIENT_KEY",
        "SDK_TLS_CLIENT_CERTIFICATE",
    ):
        if not getattr(settings, name):
            yield f"{name} is not set."
    if not settings.SDK_TLS_CLIENT_HEADER:
        yield "SDK_TLS_CLIENT_HEADER is not set: messages are taken from whoever shows no TLS certificate."


def _risky_settings() -> Iterator[str]:
    if urlsplit(settings.SDK_PUBLIC_URL).scheme != "https":
        yield "SDK_PUBLIC_URL is no https address: links in mail lead nowhere."
    if not settings.SDK_ADDRESS_BOOK_URL:
        yield "SDK_ADDRESS_BOOK_URL is not set: no recipient can be chosen."
    if settings.SDK_SAML_METADATA and not settings.SDK_SAML_METADATA_CERTIFICATE:
        yield "SDK_SAML_METADATA_CERTIFICATE is not set: whoever can write the file decides who logs in."
    if settings.SDK_ACCEPT_PLAIN:
        yield "SDK_ACCEPT_PLAIN is set: run seal_at_rest, and take it away."
    if logging.getLevelName(logging.getLogger().level) in {"DEBUG", "NOTSET"}:
        yield "SDK_LOG_LEVEL says more than is fit to be kept."
    broker = urlsplit(settings.CELERY_BROKER_URL)
    if not broker.password:
        yield "SDK_BROKER_URL has no password: whoever reaches the broker may have workers run tasks."
    if broker.scheme == "redis" and not is_loopback(broker.hostname or "localhost"):
        yield "SDK_BROKER_URL goes over a network without TLS: rediss://."
    database = cast(dict[str, Any], settings.DATABASES["default"])
    host = str(database["HOST"])
    is_near = all(not name or name.startswith("/") or is_loopback(name) for name in host.split(","))
    if not is_near and database["OPTIONS"].get("sslmode") not in {"require", "verify-ca", "verify-full"}:
        yield "SDK_DATABASE_URL goes over a network without TLS: ?sslmode=verify-full."
    if settings.RATELIMIT_ENABLE and not settings.SDK_CLIENT_ADDRESS_HEADER:
        yield (
            "SDK_CLIENT_ADDRESS_HEADER is not set: behind a proxy, nobody's calls before a login are counted "
            "(X-Real-IP with deploy/nginx)."
        )
    if settings.SDK_METRICS_TOKEN and len(settings.SDK_METRICS_TOKEN) < _SHORTEST_TOKEN:
        yield f"SDK_METRICS_TOKEN is short: {_SHORTEST_TOKEN} random characters at least."
    if any(ip_network(network).prefixlen == 0 for network in settings.SDK_METRICS_NETWORKS):
        yield "SDK_METRICS_NETWORKS lets everybody read the figures."


@register()
def check_rendering_confinement(**_: Any) -> list[CheckMessage]:
    if settings.SDK_RENDERER:
        # The service has nothing that could be read.
        return []
    used = rendering.strongest()
    if used.is_full:
        return []
    missing = "bubblewrap cannot run" if not used.wrapper else "libseccomp is missing"
    return [
        Warning(
            f"What draws PDFs and record bundles is not fully confined: {missing}.",
            hint="Install bubblewrap and libseccomp2, and allow user namespaces; see docs/production.md.",
            id="sdkportal.W002",
        )
    ]
