"""Settings of a node, all from environment variables; docs/production.md lists them.

`SDK_DEMO=1` gives defaults that suit one machine and a browser on it; without it whatever is
needed for security has to be set.
"""

import contextlib
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured
from kombu import Queue

from . import __version__
from . import environment as env
from .browser_policies import content_security_policy, permissions_policy
from .scheduling.schedule import Interval, beat_schedule
from .startup import unsafe_settings

BASE_DIR = Path(__file__).resolve().parent.parent
# In a checkout, templates, styles and translations stand beside the packages; a wheel has them in sdkportal/.
IS_INSTALLED = not (BASE_DIR / "manage.py").is_file()
FILES_DIR = BASE_DIR / "sdkportal" if IS_INSTALLED else BASE_DIR
# What packages for archives say that they were made with.
VERSION = __version__

DEMO = env.flag("SDK_DEMO")
DEBUG = env.flag("SDK_DEBUG")

SECRET_KEY = env.text("SDK_SECRET_KEY", unsafe_settings.DEMO_SECRET if DEMO else None)
ALLOWED_HOSTS = env.words("SDK_ALLOWED_HOSTS", "localhost,127.0.0.1,[::1]" if DEMO else "")
CSRF_TRUSTED_ORIGINS = env.words("SDK_TRUSTED_ORIGINS")

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "django_htmx",
    "mozilla_django_oidc",
    "rest_framework",
    "transport.storage.encryption",
    "transport.certificate_watch",
    "transport.federation",
    "transport.access_point",
    "transport.directory_drop",
    "transport.message_service",
    "transport.message_api",
    "transport.remote_message_service",
    "addressbook",
    "mailbox",
    "sdkportal.doctor",
    "sdkportal.apps.PortalConfig",
]

if DEMO and not IS_INSTALLED:
    # For its management commands; nothing in production imports it, and the wheel does not have it.
    INSTALLED_APPS.append("testbed")

# The access point's process serves AS4 and nothing else: sdkportal.wsgi_access_point sets this.
ROOT_URLCONF = env.text("SDK_URLCONF", "sdkportal.urls")

MIDDLEWARE = [
    "sdkportal.middleware.connections.ReleaseConnectionMiddleware",
    "sdkportal.middleware.body_limits.BodyLimitMiddleware",
    "django.middleware.security.SecurityMiddleware",
]
if ROOT_URLCONF == "sdkportal.urls_access_point":
    # Nobody has a session there: messages do not pay for what only pages need. This tells an answer's length.
    MIDDLEWARE.append("django.middleware.common.CommonMiddleware")
else:
    MIDDLEWARE += [
        "django.middleware.clickjacking.XFrameOptionsMiddleware",
        "csp.middleware.CSPMiddleware",
        "django_permissions_policy.PermissionsPolicyMiddleware",
        "whitenoise.middleware.WhiteNoiseMiddleware",
        "django.contrib.sessions.middleware.SessionMiddleware",
        "sdkportal.middleware.language.ChosenLanguageMiddleware",
        "django.middleware.common.CommonMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "mailbox.accounts.sessions.SessionLengthMiddleware",
        "django.contrib.messages.middleware.MessageMiddleware",
        "django_htmx.middleware.HtmxMiddleware",
    ]
WSGI_APPLICATION = "sdkportal.wsgi.application"
ASGI_APPLICATION = "sdkportal.asgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [FILES_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "mailbox.administration.views.layout.main_menu_link",
                "mailbox.administration.views.identity.organisation_identity",
            ],
        },
    },
]

# --- Where things are kept -------------------------------------------------------------------

DATABASES = {"default": env.database("SDK_DATABASE_URL", "postgresql:///sdkportal")}
SDK_DATABASE_PREPARES = env.flag("SDK_DATABASE_PREPARES", True)
# At most so many connections for each process of the pages and of the access point; 0: one for each thread.
SDK_DATABASE_POOL = env.number("SDK_DATABASE_POOL", 7)
# How many processes of each kind a machine has: the units start so many, and a check counts with them.
SDK_PAGES_PROCESSES = env.number("SDK_PAGES_PROCESSES", 2)
SDK_ACCESS_POINT_PROCESSES = env.number("SDK_ACCESS_POINT_PROCESSES", 2)
SDK_WORKER_PROCESSES = env.number("SDK_WORKER_PROCESSES", 2)
SDK_TRANSPORT_PROCESSES = env.number("SDK_TRANSPORT_PROCESSES", 4)
SDK_NOTICE_PROCESSES = env.number("SDK_NOTICE_PROCESSES", 4)
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

DATA_DIR = env.path("SDK_DATA_DIR", Path("/var/lib/sdkportal") if IS_INSTALLED else BASE_DIR / "var" / "data")
MEDIA_ROOT = DATA_DIR / "payloads"
# Files on their way: never in storage, removed when the work that made them ends.
SDK_WORK_DIR = env.path("SDK_WORK_DIR", DATA_DIR / "work")
# Long uploads; `transport.storage.work_files` puts Python's other temporary files there.
FILE_UPLOAD_TEMP_DIR = SDK_WORK_DIR
with contextlib.suppress(OSError):
    # Where it cannot be made, `manage.py check` says so.
    SDK_WORK_DIR.mkdir(mode=0o700, parents=True, exist_ok=True)
FILE_UPLOAD_PERMISSIONS = 0o600
FILE_UPLOAD_DIRECTORY_PERMISSIONS = 0o700

# Backups (`manage.py backup`): where to, the public age keys that they are encrypted to, and the directory of
# PostgreSQL's own programs, if it is not in PATH.
SDK_BACKUP_TARGET = env.text("SDK_BACKUP_TARGET", "")
SDK_BACKUP_RECIPIENTS = env.words("SDK_BACKUP_RECIPIENTS")
SDK_POSTGRESQL_PROGRAMS = env.text("SDK_POSTGRESQL_PROGRAMS", "")

STATIC_URL = "/static/"
STATIC_ROOT = env.path("SDK_STATIC_DIR", DATA_DIR / "static" if IS_INSTALLED else BASE_DIR / "staticfiles")
# In a wheel they are those of the application `sdkportal`, and found as such.
STATICFILES_DIRS = [] if IS_INSTALLED else [FILES_DIR / "static"]
STORAGES: dict[str, dict[str, object]] = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
SDK_S3_ENDPOINT = env.text("SDK_S3_ENDPOINT", "")
if env.text("SDK_S3_BUCKET", ""):
    STORAGES["default"] = {
        "BACKEND": "transport.storage.object_store.ObjectStore",
        "OPTIONS": {
            "bucket_name": env.text("SDK_S3_BUCKET"),
            "endpoint_url": SDK_S3_ENDPOINT or None,
            "default_acl": "private",
            "querystring_auth": True,
            "file_overwrite": False,
        },
    }
if DEMO or DEBUG:
    STORAGES["staticfiles"] = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    WHITENOISE_USE_FINDERS = True
    WHITENOISE_AUTOREFRESH = True
    # Nothing is collected here, and WhiteNoise warns of a directory that does not exist.
    with contextlib.suppress(OSError):
        STATIC_ROOT.mkdir(parents=True, exist_ok=True)

# --- Celery: the broker only wakes workers, the database is the truth ------------------------

CELERY_BROKER_URL = env.with_password(
    env.text("SDK_BROKER_URL", "redis://localhost:6379/0"), env.text("SDK_BROKER_PASSWORD", "")
)
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": 600,
    "socket_timeout": 5,
    "socket_connect_timeout": 5,
    # Whoever publishes tries once: a receipt or a page must not wait for a broker that is away.
    "max_retries": 0,
    "interval_start": 0,
    "interval_step": 0,
    "interval_max": 0,
}
# What waits for others' servers has queues of its own, so that it holds up nothing else. A worker without
# `-Q` serves all three.
CELERY_TASK_DEFAULT_QUEUE = "celery"
CELERY_TASK_QUEUES = [Queue(name, routing_key=name) for name in ("celery", "transport", "notices")]
CELERY_TASK_ROUTES = {
    "transport.access_point.tasks.send_due": {"queue": "transport"},
    "transport.message_api.tasks.send_webhook": {"queue": "notices"},
    "mailbox.tasks.send_notices": {"queue": "notices"},
    "mailbox.tasks.poll_case_systems": {"queue": "notices"},
    "mailbox.tasks.work_on_case_delivery": {"queue": "notices"},
    "mailbox.tasks.fetch_sftp_receipts": {"queue": "notices"},
    "mailbox.tasks.refresh_saml_metadata": {"queue": "notices"},
    "mailbox.tasks.count_daily_figures": {"queue": "notices"},
    "addressbook.tasks.synchronise": {"queue": "notices"},
    "transport.federation.tasks.refresh_status_feed": {"queue": "notices"},
    "transport.message_service.tasks.poll_certpub": {"queue": "notices"},
    "transport.remote_message_service.tasks.poll_due": {"queue": "notices"},
    "transport.remote_message_service.tasks.hand_over_due": {"queue": "notices"},
    "transport.remote_message_service.tasks.fetch_due": {"queue": "notices"},
}
# At most so many of the workers wait for one counterpart (an access point, a web hook's server) at a time.
SDK_COUNTERPART_SHARE = env.number("SDK_COUNTERPART_SHARE", 2)
SDK_SLOW_SERVER_SECONDS = env.number("SDK_SLOW_SERVER_SECONDS", 5)
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TASK_TIME_LIMIT = 900
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
# Tasks publish without waiting for a broker that is away: the sweeper finds what was missed.
CELERY_TASK_PUBLISH_RETRY = False
CELERY_TIMEZONE = "UTC"
SDK_SWEEP_SECONDS = env.number("SDK_SWEEP_SECONDS", 5)
# How long what is sent can be undone, unless a mailbox has chosen otherwise; 0 sends at once.
SDK_UNDO_SEND_SECONDS = env.number("SDK_UNDO_SEND_SECONDS", 10)
# So many automatic answers an organisation sends in an hour before all of them are stopped.
SDK_AUTOMATIC_ANSWERS_PER_HOUR = env.number("SDK_AUTOMATIC_ANSWERS_PER_HOUR", 300)
# How often another message service that functions of ours use is asked for news (docs/remote-message-
# service.md).
SDK_REMOTE_POLL_SECONDS = env.number("SDK_REMOTE_POLL_SECONDS", 20)
SDK_CERTIFICATE_SECONDS = env.number("SDK_CERTIFICATE_SECONDS", 3600)
SDK_NOTICE_SECONDS = env.number("SDK_NOTICE_SECONDS", 60)
SDK_WATCH_SECONDS = env.number("SDK_WATCH_SECONDS", 300)
SDK_TIDY_SECONDS = env.number("SDK_TIDY_SECONDS", 3600)
SDK_ADDRESS_BOOK_SYNC_SECONDS = env.number("SDK_ADDRESS_BOOK_SYNC_SECONDS", 3600)
# Where envelopes are exchanged with another operator's access point (docs/directory-drop.md).
SDK_DROP_DIR = env.text("SDK_DROP_DIR", "")
# Where case systems take packages and put receipts (docs/connectors.md).
SDK_CASE_SYSTEM_DIRECTORY = env.text("SDK_CASE_SYSTEM_DIRECTORY", "")
# Where files of strangers are drawn by a process of its own: a socket's path, or host:port.
SDK_RENDERER = env.text("SDK_RENDERER", "")
# Beat may run on several machines: one of them leads.
CELERY_BEAT_SCHEDULER = "sdkportal.scheduling.beat:LeaderScheduler"
CELERY_BEAT_SCHEDULE = beat_schedule(
    {
        Interval.SWEEP: SDK_SWEEP_SECONDS,
        Interval.NOTICES: SDK_NOTICE_SECONDS,
        Interval.WATCH: SDK_WATCH_SECONDS,
        Interval.CLEAN_UP: SDK_TIDY_SECONDS,
        Interval.CERTIFICATES: SDK_CERTIFICATE_SECONDS,
        Interval.ADDRESS_BOOK: SDK_ADDRESS_BOOK_SYNC_SECONDS,
    },
    has_directory_drop=bool(SDK_DROP_DIR),
)

# --- Language and time -----------------------------------------------------------------------

LANGUAGE_CODE = "sv"
LANGUAGES = [("sv", "Svenska"), ("en", "English")]
LANGUAGE_COOKIE_NAME = env.text("SDK_COOKIE_PREFIX", "sdk") + "_language"
LANGUAGE_COOKIE_AGE = 3600 * 24 * 365
LANGUAGE_COOKIE_HTTPONLY = True
LANGUAGE_COOKIE_SAMESITE = "Lax"
LANGUAGE_COOKIE_SECURE = not DEMO
LOCALE_PATHS = [FILES_DIR / "locale"]
TIME_ZONE = "Europe/Stockholm"
USE_I18N = True
USE_TZ = True
# Whom to write to about what is not accessible; without it people are sent to their administrator.
SDK_ACCESSIBILITY_MAIL = env.text("SDK_ACCESSIBILITY_MAIL", "")

# --- People ----------------------------------------------------------------------------------

# Keys the hash by which people are known; changing it makes everybody unknown.
SDK_PERSON_KEY = env.text("SDK_PERSON_KEY", SECRET_KEY if DEMO else None)
AUTH_USER_MODEL = "mailbox.Person"
AUTHENTICATION_BACKENDS = ["mailbox.accounts.login.EidBackend"]
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "/"
OIDC_ISSUER = env.text("SDK_OIDC_ISSUER", "")
OIDC_OP_AUTHORIZATION_ENDPOINT = env.text("SDK_OIDC_AUTHORIZATION_ENDPOINT", f"{OIDC_ISSUER}/authorize")
OIDC_OP_TOKEN_ENDPOINT = env.text("SDK_OIDC_TOKEN_ENDPOINT", f"{OIDC_ISSUER}/token")
OIDC_OP_USER_ENDPOINT = env.text("SDK_OIDC_USERINFO_ENDPOINT", f"{OIDC_ISSUER}/userinfo")
OIDC_OP_JWKS_ENDPOINT = env.text("SDK_OIDC_JWKS_ENDPOINT", f"{OIDC_ISSUER}/jwks")
OIDC_OP_LOGOUT_ENDPOINT = env.text("SDK_OIDC_END_SESSION_ENDPOINT", f"{OIDC_ISSUER}/end_session")
OIDC_RP_CLIENT_ID = env.text("SDK_OIDC_CLIENT_ID", "sdkportal")
OIDC_RP_CLIENT_SECRET = env.text("SDK_OIDC_CLIENT_SECRET", "")
# PEM of the key for private_key_jwt; with it no client secret is sent.
SDK_OIDC_CLIENT_KEY = env.text("SDK_OIDC_CLIENT_KEY", "")
OIDC_RP_SIGN_ALGO = env.text("SDK_OIDC_SIGNING_ALGORITHM", "RS256")
OIDC_RP_SCOPES = env.text(
    "SDK_OIDC_SCOPES",
    "openid profile https://id.oidc.se/scope/naturalPersonInfo https://id.oidc.se/scope/naturalPersonOrgId",
)
OIDC_USE_PKCE = True
OIDC_TIMEOUT = env.number("SDK_HTTP_TIMEOUT_SECONDS", 10)
OIDC_VERIFY_SSL = env.text("SDK_TLS_CA_FILE", "") or True
OIDC_AUTH_REQUEST_EXTRA_PARAMS = {"prompt": "login"}
OIDC_CALLBACK_CLASS = "mailbox.accounts.views.Callback"
OIDC_OP_LOGOUT_URL_METHOD = "mailbox.accounts.login.provider_logout_url"
ALLOW_LOGOUT_GET_METHOD = False
LOGIN_REDIRECT_URL_FAILURE = "/logga-in/nekad"
OIDC_AUTHENTICATE_CLASS = "mailbox.accounts.views.Begin"
OIDC_RP_IDP_SIGN_KEY = None
# The claim that says who the person is, and the levels of assurance that are enough.
SDK_OIDC_PERSON_CLAIM = env.text("SDK_OIDC_PERSON_CLAIM", "https://id.oidc.se/claim/personalIdentityNumber")
SDK_OIDC_ACCEPTED_ACR = env.words(
    "SDK_OIDC_ACCEPTED_ACR",
    "http://id.elegnamnden.se/loa/1.0/loa3,http://id.elegnamnden.se/loa/1.0/loa4,http://id.sambi.se/loa/loa3",
)

# SAML 2.0, beside OpenID Connect: metadata (a file, or an address that is fetched hourly), the certificate of
# who signs it, and the providers in it that people here log in at.
SDK_SAML_METADATA = env.text("SDK_SAML_METADATA", "")
SDK_SAML_METADATA_CERTIFICATE = env.text("SDK_SAML_METADATA_CERTIFICATE", "")
SDK_SAML_PROVIDERS = env.words("SDK_SAML_PROVIDERS")
SDK_SAML_ENTITY_ID = env.text("SDK_SAML_ENTITY_ID", "")
SDK_SAML_KEY = env.text("SDK_SAML_KEY", "")
SDK_SAML_CERTIFICATE = env.text("SDK_SAML_CERTIFICATE", "")
# PEM files with key and certificate, the next or the last: published and decrypted with, never signed with.
SDK_SAML_OTHER_KEYS = env.words("SDK_SAML_OTHER_KEYS")
SDK_SAML_PERSON_ATTRIBUTE = env.text("SDK_SAML_PERSON_ATTRIBUTE", "urn:oid:1.2.752.29.4.13")
# The attribute whose values are assignments, of which a person chooses one.
SDK_SAML_ASSIGNMENT_ATTRIBUTE = env.text("SDK_SAML_ASSIGNMENT_ATTRIBUTE", "")
SDK_SAML_REQUESTED_ATTRIBUTES = env.words("SDK_SAML_REQUESTED_ATTRIBUTES")
SDK_SAML_ACCEPTED_LEVELS = env.words("SDK_SAML_ACCEPTED_LEVELS", ",".join(SDK_OIDC_ACCEPTED_ACR))
SDK_SAML_ENTITY_CATEGORIES = env.words(
    "SDK_SAML_ENTITY_CATEGORIES", "http://id.elegnamnden.se/ec/1.0/loa3-pnr"
)
SDK_SAML_SIGNED_RESPONSE = env.flag("SDK_SAML_SIGNED_RESPONSE", True)
SDK_SAML_ENCRYPTED_ASSERTION = env.flag("SDK_SAML_ENCRYPTED_ASSERTION", True)
SDK_SAML_DISPLAY_NAME = env.text("SDK_SAML_DISPLAY_NAME", "")
SDK_SAML_ORGANISATION = env.text("SDK_SAML_ORGANISATION", "")
SDK_SAML_XMLSEC1 = env.text("SDK_SAML_XMLSEC1", "/usr/bin/xmlsec1")

# Directory services (SCIM): the attribute of a user that holds what that claim says.
SDK_SCIM_IDENTITY = env.choice("SDK_SCIM_IDENTITY", "userName", "externalId", "employeeNumber")

SESSION_ENGINE = "mailbox.accounts.session_store"
# Notices may name a conversation: they are in the sealed session, not in a cookie.
MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"
SESSION_COOKIE_AGE = env.number("SDK_SESSION_SECONDS", 3600 * 4)
SDK_SESSION_IDLE_SECONDS = env.number("SDK_SESSION_IDLE_SECONDS", 1800)
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = not DEMO
CSRF_COOKIE_SECURE = not DEMO
# Two nodes of the demo share a host name: their cookies must not overwrite each other.
SESSION_COOKIE_NAME = env.text("SDK_COOKIE_PREFIX", "sdk") + "_session"
CSRF_COOKIE_NAME = env.text("SDK_COOKIE_PREFIX", "sdk") + "_csrf"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = content_security_policy(logout_endpoint=OIDC_OP_LOGOUT_ENDPOINT)
PERMISSIONS_POLICY = permissions_policy()
if not DEMO:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SECURE_HSTS_SECONDS = env.number("SDK_HSTS_SECONDS", 31536000)
    SECURE_SSL_REDIRECT = env.flag("SDK_SSL_REDIRECT", True)
    SECURE_REDIRECT_EXEMPT = [r"^halsa/"]
    # Whether browsers know all of a domain as HTTPS alone is its owner's to say, not a node's in it.
    SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]

# --- Rate limits: so many calls in a time, counted in the broker's server for all processes -----

CACHES = {
    "default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"},
    "rates": {
        "BACKEND": "sdkportal.rate_limit_cache.RateLimitCache",
        "LOCATION": CELERY_BROKER_URL,
        "KEY_PREFIX": "sdk-rates",
        "OPTIONS": {"socket_timeout": 1, "socket_connect_timeout": 1},
    },
}
RATELIMIT_USE_CACHE = "rates"
RATELIMIT_FAIL_OPEN = True
# In the demo everybody comes from one address.
RATELIMIT_ENABLE = env.flag("SDK_RATE_LIMITS", not DEMO)
SDK_RATE_LIMITS = {
    "token": env.text("SDK_RATE_LIMIT_TOKEN", "60/m"),
    "login": env.text("SDK_RATE_LIMIT_LOGIN", "60/m"),
    "logout": env.text("SDK_RATE_LIMIT_LOGOUT", "600/m"),
    "search": env.text("SDK_RATE_LIMIT_SEARCH", "60/m"),
    "upload": env.text("SDK_RATE_LIMIT_UPLOAD", "120/m"),
    "scim": env.text("SDK_RATE_LIMIT_SCIM", "1800/m"),
}
# Header in which the proxy passes the address of who calls: `X-Real-IP` in deploy/nginx.
SDK_CLIENT_ADDRESS_HEADER = env.text("SDK_CLIENT_ADDRESS_HEADER", "")

# --- The federation --------------------------------------------------------------------------

# Directories with CA certificates (PEM or DER, any depth); C1.5 and ../certs of the federation.
SDK_TRUST_DIR = env.path("SDK_TRUST_DIR", DATA_DIR / "trust")
SDK_ACCESS_POINT_CA_DIR = SDK_TRUST_DIR / "access-points"
SDK_SMP_CA_DIR = SDK_TRUST_DIR / "smp"
SDK_ORGANISATION_CA_DIR = SDK_TRUST_DIR / "organisations"
SDK_TLS_CA_FILE = env.text("SDK_TLS_CA_FILE", "")
SDK_FEDERATION_ID = env.text("SDK_FEDERATION_ID", "urn:fdc:digg.se:edelivery:federation:sdk")
# Zone of the federation's SML, below which `<hash>.iso6523-actorid-upis` stands.
SDK_SML_ZONE = env.text("SDK_SML_ZONE", "sml.example")
# `host:port` of name servers to ask instead of the machine's own.
SDK_DNS_SERVERS = env.words("SDK_DNS_SERVERS")
# Networks that may be connected to by addresses that others name, though they are not public.
SDK_PRIVATE_NETWORKS = env.networks("SDK_PRIVATE_NETWORKS", "127.0.0.0/8,::1/128" if DEMO else "")
# The transport profiles that are spoken, the preferred one first.
SDK_TRANSPORT_PROFILES = env.words(
    "SDK_TRANSPORT_PROFILES", "digg-transport-as4-v1_0,digg-transport-as4-v1_2"
)
SDK_METADATA_CACHE_SECONDS = env.number("SDK_METADATA_CACHE_SECONDS", 600)
# So long a process goes on with answers, keys and the trust directory as it has read them.
SDK_ANSWER_MEMORY_SECONDS = env.number("SDK_ANSWER_MEMORY_SECONDS", 2)
SDK_HTTP_TIMEOUT_SECONDS = env.number("SDK_HTTP_TIMEOUT_SECONDS", 10)
# When neither CRL nor OCSP can be reached: 0 waits and tries again (the default), a number of
# seconds uses an answer that much past its nextUpdate.
SDK_REVOCATION_GRACE_SECONDS = env.number("SDK_REVOCATION_GRACE_SECONDS", 0)
SDK_ADDRESS_BOOK_URL = env.text("SDK_ADDRESS_BOOK_URL", "")
# The federation's status feed (RSS or Atom), shown to administrators; empty: none is read.
SDK_STATUS_FEED_URL = env.text("SDK_STATUS_FEED_URL", "")

# --- Traces (OpenTelemetry), an optional extra -------------------------------------------------

# Where spans are sent by OTLP over HTTP: `https://host/v1/traces`; empty: none are made.
SDK_TRACES_URL = env.text("SDK_TRACES_URL", "")
# Sent as `Authorization: Bearer`, if the collector asks for it.
SDK_TRACES_TOKEN = env.text("SDK_TRACES_TOKEN", "")
# The share of messages that are traced, from 0 to 1.
SDK_TRACES_RATIO = env.share("SDK_TRACES_RATIO", 1.0)
# What this node is called in traces.
SDK_TRACES_SERVICE = env.text("SDK_TRACES_SERVICE", "sdkportal")

# --- Access point ----------------------------------------------------------------------------

SDK_ACCESS_POINT_KEY = env.text("SDK_ACCESS_POINT_KEY", "")
SDK_ACCESS_POINT_CERTIFICATE = env.text("SDK_ACCESS_POINT_CERTIFICATE", "")
# PEM files with key and certificate, for renewal: still opened with, never signed with.
SDK_ACCESS_POINT_OLD_KEYS = env.words("SDK_ACCESS_POINT_OLD_KEYS")
SDK_TLS_CLIENT_CERTIFICATE = env.text("SDK_TLS_CLIENT_CERTIFICATE", "")
SDK_TLS_CLIENT_KEY = env.text("SDK_TLS_CLIENT_KEY", "")
# Header in which the proxy passes the client certificate of another access point (PEM, percent-encoded).
SDK_TLS_CLIENT_HEADER = env.text("SDK_TLS_CLIENT_HEADER", "")
SDK_MAX_TRANSFER_BYTES = env.number("SDK_MAX_TRANSFER_BYTES", 160 * 1024 * 1024)
SDK_RESEND_LIMIT = env.number("SDK_RESEND_LIMIT", 4)
SDK_RESEND_WINDOW_SECONDS = env.number("SDK_RESEND_WINDOW_SECONDS", 720)
SDK_TRANSFER_LOG_DAYS = env.number("SDK_TRANSFER_LOG_DAYS", 400)
# A message and its answer have to be through in so long, and the time that it takes at the slowest speed.
SDK_AS4_TIMEOUT_SECONDS = env.number("SDK_AS4_TIMEOUT_SECONDS", 60)
SDK_AS4_SLOWEST_BYTES = env.number("SDK_AS4_SLOWEST_BYTES", 256 * 1024)
# A sender that is silent for so long, or that has not sent everything in so long, is cut off.
SDK_AS4_SILENCE_SECONDS = env.number("SDK_AS4_SILENCE_SECONDS", 30)
SDK_AS4_RECEIVE_SECONDS = env.number("SDK_AS4_RECEIVE_SECONDS", 900)

# --- Message service -------------------------------------------------------------------------

SDK_ACCESS_POINT_ADAPTER = env.text(
    "SDK_ACCESS_POINT_ADAPTER", "transport.access_point.adapter.OwnAccessPoint"
)
SDK_MESSAGE_SERVICE = env.text("SDK_MESSAGE_SERVICE", "transport.message_service.adapter.OwnMessageService")
SDK_REMOTE_MESSAGE_SERVICES = "transport.remote_message_service.adapter.OtherMessageServices"
SDK_MESSAGE_CLIENT = env.text("SDK_MESSAGE_CLIENT", "sdkportal.message_clients.RoutedClients")
# The message types that are taken, each with its rules; one more of the federation is a name more.
SDK_MESSAGE_TYPES = (
    "transport.message_service.message_types.registered.MESSAGE",
    "transport.message_service.message_types.registered.RECEIPT",
)
# Who knows of certificates that this node holds, and whom to tell before one ends.
SDK_CERTIFICATE_SOURCES = (
    "transport.access_point.keys.held_certificates",
    "transport.message_service.organisations.publication.held_certificates",
)
SDK_CERTIFICATE_RECIPIENTS = ("mailbox.administration.certificates.administrator_addresses",)
SDK_MAX_MESSAGE_BYTES = env.number("SDK_MAX_MESSAGE_BYTES", 30 * 1024 * 1024)
SDK_ACCEPTED_CONTENT_TYPES = env.words(
    "SDK_ACCEPTED_CONTENT_TYPES",
    "application/pdf,text/plain,image/png,image/jpeg,image/tiff,"
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document,"
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet,"
    "application/vnd.oasis.opendocument.text",
)
# ClamAV's daemon, which looks at every attachment and text: a socket, or `host:port`.
SDK_CLAMD = env.text("SDK_CLAMD", "/run/clamav/clamd.ctl")
SDK_CLAMD_TIMEOUT_SECONDS = env.number("SDK_CLAMD_TIMEOUT_SECONDS", 120)
# How long what was found is kept apart, unless an administrator removes it before.
SDK_QUARANTINE_DAYS = env.number("SDK_QUARANTINE_DAYS", 30)
SDK_TRANSPORT_DEADLINE_SECONDS = env.number("SDK_TRANSPORT_DEADLINE_SECONDS", 900)
SDK_RECEIPT_DEADLINE_SECONDS = env.number("SDK_RECEIPT_DEADLINE_SECONDS", 600)
# A worker's claim on a piece of work, renewed while it works; after it another takes over.
SDK_LEASE_SECONDS = env.number("SDK_LEASE_SECONDS", 15)
# What arrived and ends in an error that nobody foresaw is set aside after so many attempts.
SDK_JUDGING_FAILURES = env.number("SDK_JUDGING_FAILURES", 12)

# --- API for external message clients (docs/api.md) ------------------------------------------

# An outside authorisation server's issuer and keys; without them this service issues tokens itself.
SDK_API_ISSUER = env.text("SDK_API_ISSUER", "")
SDK_API_JWKS_URL = env.text("SDK_API_JWKS_URL", "")
SDK_API_AUDIENCE = env.text("SDK_API_AUDIENCE", "urn:sdk.api")
SDK_API_AUTH_ID_CLAIM = env.text("SDK_API_AUTH_ID_CLAIM", "auth_id")
SDK_API_TOKEN_SECONDS = env.number("SDK_API_TOKEN_SECONDS", 1800)
# Hosts that web hooks may be sent to; no other, whatever is registered.
SDK_WEBHOOK_HOSTS = env.words("SDK_WEBHOOK_HOSTS")
SPECTACULAR_SETTINGS = {
    "SCHEMA_PATH_PREFIX": "/v1",
    "SORT_OPERATIONS": False,
    "ENUM_NAME_OVERRIDES": {"MessageStatus": "transport.message_api.serializers.STATUSES"},
}

# --- Mail and notices: never with a subject, a name or a word of a message ---------------------

# Where people open the pages, for links in mail: https://host, without a slash at the end.
SDK_PUBLIC_URL = env.text("SDK_PUBLIC_URL", "").rstrip("/")
EMAIL_HOST = env.text("SDK_MAIL_HOST", "")
EMAIL_PORT = env.number("SDK_MAIL_PORT", 587)
EMAIL_HOST_USER = env.text("SDK_MAIL_USER", "")
EMAIL_HOST_PASSWORD = env.text("SDK_MAIL_PASSWORD", "")
EMAIL_USE_TLS = env.flag("SDK_MAIL_STARTTLS", default=True)
EMAIL_TIMEOUT = 20
# Told of certificates that end, besides the administrators of the organisation whose they are.
SDK_OPERATOR_MAIL = env.words("SDK_OPERATOR_MAIL")
DEFAULT_FROM_EMAIL = env.text("SDK_MAIL_FROM", "sdkportal@localhost")
# Without a server to send by, mail is not sent, and pages say so.
EMAIL_BACKEND = f"django.core.mail.backends.{'smtp' if EMAIL_HOST else 'dummy'}.EmailBackend"
# PEM of a key on P-256 that says to push services who pushes; without one no browser is told.
SDK_PUSH_KEY = env.text("SDK_PUSH_KEY", "")
# The push services of the browsers in use: nothing is pushed elsewhere, whatever a browser says.
SDK_PUSH_HOSTS = env.words(
    "SDK_PUSH_HOSTS",
    "fcm.googleapis.com,push.services.mozilla.com,push.apple.com,notify.windows.com",
)

# --- Backup: what `doctor` measures its age by ----------------------------------------------------

# The backup touches this file when it has ended well, at the latest after so many hours.
SDK_BACKUP_FILE = env.text("SDK_BACKUP_FILE", "")
SDK_BACKUP_HOURS = env.number("SDK_BACKUP_HOURS", 26)

# --- Metrics ---------------------------------------------------------------------------------

# Who may read /halsa/matt: networks that ask without a proxy between, and whoever has the token.
SDK_METRICS_NETWORKS = env.words("SDK_METRICS_NETWORKS", "127.0.0.0/8,::1/128")
SDK_METRICS_TOKEN = env.text("SDK_METRICS_TOKEN", "")

# --- Encryption of what is stored (docs/keys.md) ----------------------------------------------

# 32 bytes in base64: wraps the organisations' data keys, unless a PKCS#11 token does. Older ones still open.
SDK_WRAPPING_KEY = env.text("SDK_WRAPPING_KEY", unsafe_settings.DEMO_WRAPPING_KEY if DEMO else "")
SDK_OLD_WRAPPING_KEYS = env.words("SDK_OLD_WRAPPING_KEYS")
SDK_PKCS11_MODULE = env.text("SDK_PKCS11_MODULE", "")
SDK_PKCS11_TOKEN = env.text("SDK_PKCS11_TOKEN", "")
SDK_PKCS11_PIN = env.text("SDK_PKCS11_PIN", "")
SDK_PKCS11_KEY = env.text("SDK_PKCS11_KEY", "sdkportal")
DEFAULT_EXCEPTION_REPORTER_FILTER = "sdkportal.error_reports.ErrorReportFilter"
DEFAULT_EXCEPTION_REPORTER = "sdkportal.error_reports.ErrorReporter"
# Takes what is stored in the clear, from before there was encryption, until `seal_at_rest` has sealed it.
SDK_ACCEPT_PLAIN = env.flag("SDK_ACCEPT_PLAIN")
# Opens private keys that were stored before SDK_WRAPPING_KEY; `seal_at_rest` makes it needless.
SDK_KEY_PASSPHRASE = env.text("SDK_KEY_PASSPHRASE", "")

# --- Log -------------------------------------------------------------------------------------

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"fields": {"()": "sdkportal.monitoring.logs.FieldFormatter"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "fields"}},
    "root": {"handlers": ["stderr"], "level": env.text("SDK_LOG_LEVEL", "INFO")},
    # A task's own events say what it did; that it ran is noise, and tracebacks of requests may hold data.
    "loggers": {
        "celery.app.trace": {"level": "WARNING"},
        "celery.worker.strategy": {"level": "WARNING"},
        "django.server": {"level": "WARNING"},
        # In detail it would say tokens.
        "authlib": {"level": "INFO"},
        # It logs assertions, with names and numbers, also as errors.
        "saml2": {"handlers": [], "level": "CRITICAL", "propagate": False},
        "weasyprint": {"level": "WARNING"},
        "fontTools": {"level": "WARNING"},
    },
}

# --- Unsafe settings, with which a node does not start ------------------------------------

if unsafe := unsafe_settings.problems(
    hosts=ALLOWED_HOSTS,
    is_demo=DEMO,
    is_debug=DEBUG,
    secret_key=SECRET_KEY,
    person_key=SDK_PERSON_KEY,
    wrapping_keys=[SDK_WRAPPING_KEY, *SDK_OLD_WRAPPING_KEYS],
):
    raise ImproperlyConfigured(" ".join(unsafe))
