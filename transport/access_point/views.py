"""The AS4 endpoint."""

import logging

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from ..protocol.as4.signals import CONTENT_TYPE
from ..protocol.certificates import RevocationUnknown
from . import log, receiving
from .keys import own_keys

logger = logging.getLogger(__name__)
_MULTIPART = "multipart/related"


@csrf_exempt
@require_POST
def as4(request: HttpRequest) -> HttpResponse:
    """Take one message; the answer is its signed receipt or an error signal, both with status 200.

    413 for a message that says it is too large, 415 for what is no AS4 message, 503 where this access
    point could not judge it now: the sender is to try again.
    """
    content_type = request.headers.get("Content-Type", "")
    if not content_type.lower().startswith(_MULTIPART):
        log.refused(own_keys().party_id, "not multipart/related")
        return HttpResponse(status=415)
    if int(request.headers.get("Content-Length") or 0) > settings.SDK_MAX_TRANSFER_BYTES:
        log.refused(own_keys().party_id, "larger than is taken")
        return HttpResponse(status=413)
    try:
        answer = receiving.receive(content_type, request)  # type: ignore[arg-type]
    except RevocationUnknown as error:
        logger.warning("not judged now", extra={"fields": {"why": error}})
        return HttpResponse(status=503, headers={"Retry-After": "60"})
    return HttpResponse(answer, content_type=CONTENT_TYPE)
