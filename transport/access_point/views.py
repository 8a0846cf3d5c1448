"""The AS4 endpoint."""

import contextlib
import logging
from typing import BinaryIO, Final, cast
from urllib.parse import unquote

from cryptography import x509
from django.conf import settings
from django.http import HttpRequest, HttpResponse, UnreadablePostError
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from transport.jobs import log_unexpected

from ..federation.errors import LookupUnavailable
from ..protocol.as4.signals import CONTENT_TYPE
from ..protocol.certificates import RevocationUnknown, fingerprint
from . import inbound, transfer_log
from .keys import own_keys
from .request_body import Body, SenderTooSlow

logger = logging.getLogger(__name__)
_MULTIPART: Final = "multipart/related"
_CHUNK: Final = 64 * 1024
# More digits than any length has; Python refuses to read thousands of them.
_MOST_DIGITS: Final = 18


@csrf_exempt
@require_POST
def as4(request: HttpRequest) -> HttpResponse:
    """Receive one message; the answer is its signed receipt or an error signal, both with status 200.

    403 where the proxy has to pass a client certificate and did not, 408 for a message that does not come to
    an end, 413 for one that announces to be too large, 415 for what is no AS4 message, 503 where this access
    point cannot check or store it now: the sender is to try again.
    """
    if not _has_client_certificate(request):
        transfer_log.refused_unknown(own_keys().party_id, "no TLS client certificate")
        return HttpResponse(status=403)
    content_type = request.headers.get("Content-Type", "")
    if not content_type.lower().startswith(_MULTIPART):
        transfer_log.refused_unknown(own_keys().party_id, "not multipart/related")
        return HttpResponse(status=415)
    announced = request.headers.get("Content-Length") or "0"
    is_length = announced.isascii() and announced.isdecimal() and len(announced) <= _MOST_DIGITS
    if not is_length or int(announced) > settings.SDK_MAX_TRANSFER_BYTES:
        transfer_log.refused_unknown(own_keys().party_id, "too large")
        return HttpResponse(status=413)
    try:
        with Body(request) as body:
            answer = _receive(content_type, body)
            _read_to_end(body)
            return answer
    except SenderTooSlow:
        transfer_log.refused_unknown(own_keys().party_id, "the sender was too slow")
        return HttpResponse(status=408)
    except UnreadablePostError:
        transfer_log.refused_unknown(own_keys().party_id, "the sender broke off")
        return HttpResponse(status=400)


def _receive(content_type: str, body: Body) -> HttpResponse:
    try:
        signal = inbound.receive(content_type, cast(BinaryIO, body))
    except (RevocationUnknown, LookupUnavailable) as error:
        logger.warning("as4_deferred", extra={"fields": {"reason": error}})
        return _try_again()
    except UnreadablePostError:
        raise
    except OSError as error:
        # A full disk, or storage that does not answer.
        log_unexpected(error)
        return _try_again()
    return HttpResponse(signal, content_type=CONTENT_TYPE)


def _try_again() -> HttpResponse:
    return HttpResponse(status=503, headers={"Retry-After": "60"})


def _has_client_certificate(request: HttpRequest) -> bool:
    """Whether the proxy passed the client certificate that it has verified. Who it is goes to the log line;
    who may send is decided by the message's own signature."""
    if not settings.SDK_TLS_CLIENT_HEADER:
        return True
    try:
        pem = unquote(request.headers.get(settings.SDK_TLS_CLIENT_HEADER, ""))
        certificate = x509.load_pem_x509_certificate(pem.encode())
    except ValueError:
        return False
    logger.info("tls_client", extra={"fields": {"certificate": fingerprint(certificate)}})
    return True


def _read_to_end(body: Body) -> None:
    """Read the rest of the body: a sender that is refused early would see a broken connection, not our
    answer."""
    remaining = settings.SDK_MAX_TRANSFER_BYTES
    with contextlib.suppress(UnreadablePostError):
        while remaining > 0 and (chunk := body.read(_CHUNK)):
            remaining -= len(chunk)
