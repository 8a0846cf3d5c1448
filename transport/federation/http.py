"""HTTP to the federation's services: small answers, in a short time."""

from typing import Final

from django.conf import settings

from ..outgoing_http import AddressRefused, Origin, check_url, request
from ..outgoing_http import NoAnswer as NoAnswer
from .server_share import ServerBusy, slot_at

MAX_ANSWER_BYTES: Final = 20 * 1024 * 1024
_OK: Final = 200


class Refused(Exception):
    """The server answered with a status other than 200."""

    def __init__(self, status: int) -> None:
        self.status = status
        super().__init__(f"HTTP {status}")


def fetch(
    url: str,
    body: bytes | None = None,
    *,
    content_type: str = "application/octet-stream",
    origin: Origin = Origin.OTHERS,
    plain_http: bool = False,
) -> bytes:
    """GET, or POST a body; the answer's bytes. Raises `NoAnswer`, also for a server that others wait for, and
    `Refused`.

    `plain_http` is for answers that are signed themselves.
    """
    seconds = settings.SDK_HTTP_TIMEOUT_SECONDS
    try:
        server = check_url(url, origin=origin, plain_http=plain_http).authority
        with slot_at(server, seconds):
            answer = request(
                "GET" if body is None else "POST",
                url,
                origin=origin,
                seconds=seconds,
                max_bytes=MAX_ANSWER_BYTES,
                body=body,
                headers={"Content-Type": content_type} if body is not None else {},
                plain_http=plain_http,
            )
    except AddressRefused as error:
        raise NoAnswer(f"address refused: {error}") from None
    except ServerBusy as error:
        raise NoAnswer(f"not asked: {error}") from None
    if answer.status != _OK:
        raise Refused(answer.status)
    return answer.body
