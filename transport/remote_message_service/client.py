"""The API of another message service (B1.4.2), as its client: tokens, time limits, and what its answers mean.

Every request has a total time limit and a limit to its answer. No redirect is followed, and no page but one
of the service's own is asked for. Messages are streamed, in and out, by files in a work directory.
"""

import json
import time
import uuid
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import urlencode, urljoin
from uuid import UUID

from django.conf import settings
from django.utils import timezone
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey

from transport.message_api import json_body
from transport.message_api.clients.scopes import Scope
from transport.outgoing_http import AddressRefused, Client, NoAnswer, Origin, StreamedAnswer, TooLong
from transport.protocol.urls import UrlRefused, parse_http_url

from .models import RemoteService
from .problems import AnswerInvalid, CursorInvalid, MessageRefused, NotThere, RemoteProblem

_ALGORITHM: Final = "ES256"
_ASSERTION_SECONDS: Final = 120
# A token that ends sooner than this is not used any more, and none is kept for longer than B1.4.2 lets it
# last.
_TOKEN_MARGIN: Final = timedelta(seconds=60)
_LONGEST_TOKEN_SECONDS: Final = 1800
_MAX_TOKEN_BYTES: Final = 64 * 1024
_MAX_LIST_BYTES: Final = 16 * 1024 * 1024
# Beside what a message may be: JSON's structure and escapes, and its history.
_ROOM_BYTES: Final = 4 * 1024 * 1024
_CHUNK: Final = 64 * 1024
# A whole message, at some 1 Mbit/s.
_MESSAGE_SECONDS: Final = 300
_SHORTEST_WAIT: Final = timedelta(seconds=1)
_LONGEST_WAIT: Final = timedelta(hours=1)
_ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


class RemoteClient:
    """One worker's connection to a service; a context manager.

    Every method raises `RemoteProblem` where the service cannot be used now.
    """

    def __init__(self, service: RemoteService) -> None:
        self._service = service
        self._http = Client(origin=Origin.OTHERS, authorities=service.authorities)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def renew_token(self) -> None:
        """Ask for a new token, whether or not there is one."""
        self._ask_for_token()

    def page(self, link: str) -> dict[str, Any]:
        """A page of `getMessageByFilter`, by its address. Raises `CursorInvalid`."""
        with self._answer(
            "GET", link, seconds=settings.SDK_HTTP_TIMEOUT_SECONDS, most=_MAX_LIST_BYTES
        ) as answer:
            if answer.status in (400, 404):
                raise CursorInvalid
            _expect(answer, 200)
            return _object(answer.read_all())

    def first_page(self, filters: dict[str, str]) -> str:
        """The address of the first page of the messages that match the filters."""
        query = urlencode([(f"filter[{name}]", value) for name, value in filters.items()])
        return f"{self._messages}?{query}" if query else self._messages

    def next_page(self, page: dict[str, Any], link: str) -> str | None:
        """The address of the page that follows, if any; it is the service's own. Raises `AnswerInvalid`."""
        links = page.get("links")
        following = links.get("next") if isinstance(links, dict) else None
        if isinstance(following, dict):
            # JSON:API's other form of a link.
            following = following.get("href")
        if following is None:
            return None
        if not isinstance(following, str) or not following.isprintable():
            raise AnswerInvalid
        address = urljoin(link, following)
        self._check_own(address)
        return address

    def fetch(self, resource_id: UUID, directory: Path) -> Any:
        """A whole message, as JSON; its long contents are files in the directory (`json_body`).

        Raises `NotThere`, `AnswerInvalid`.
        """
        limit = settings.SDK_MAX_MESSAGE_BYTES * 2 + _ROOM_BYTES
        with self._answer(
            "GET", f"{self._messages}/{resource_id}", seconds=_MESSAGE_SECONDS, most=limit
        ) as answer:
            _expect(answer, 200)
            try:
                return json_body.read_json(answer, directory, max_bytes=limit)
            except json_body.BodyRefused:
                raise AnswerInvalid from None

    def look(self, identity: UUID) -> dict[str, Any]:
        """A message without texts and files, by the service's id or its own. Raises `NotThere`."""
        query = urlencode({"filter[contentBodyText]": "false", "filter[contentFiles]": "false"})
        with self._answer(
            "GET",
            f"{self._messages}/{identity}?{query}",
            seconds=settings.SDK_HTTP_TIMEOUT_SECONDS,
            most=_MAX_LIST_BYTES,
        ) as answer:
            _expect(answer, 200)
            return _object(answer.read_all())

    def send(self, body: Path) -> str:
        """Hand a message over, whose JSON is in a file; what its address ends with. Raises
        `MessageRefused`."""
        with self._answer(
            "POST",
            self._messages,
            seconds=_MESSAGE_SECONDS,
            most=_MAX_LIST_BYTES,
            body=lambda: _chunks(body),
            headers={"Content-Type": "application/json", "Content-Length": str(body.stat().st_size)},
        ) as answer:
            if answer.status in (400, 409, 413, 415, 422):
                raise MessageRefused
            if answer.status not in (200, 201, 202):
                _expect(answer, 201)
            return str(answer.headers.get("Location") or "").rstrip("/").rpartition("/")[2]

    def delete(self, resource_id: UUID) -> None:
        """Have the service delete a message; one that it does not have is deleted already."""
        with self._answer(
            "DELETE",
            f"{self._messages}/{resource_id}",
            seconds=settings.SDK_HTTP_TIMEOUT_SECONDS,
            most=_MAX_LIST_BYTES,
        ) as answer:
            if answer.status not in (200, 202, 204, 404, 410):
                _expect(answer, 202)

    @property
    def _messages(self) -> str:
        return f"{self._service.address.rstrip('/')}/sdk/messages"

    def _check_own(self, address: str) -> None:
        """Tokens are sent to the service, and to nobody whom it names."""
        try:
            ours, theirs = parse_http_url(self._messages), parse_http_url(address)
        except UrlRefused:
            raise AnswerInvalid("page-elsewhere") from None
        if (ours.scheme, ours.host, ours.port) != (theirs.scheme, theirs.host, theirs.port):
            raise AnswerInvalid("page-elsewhere")

    @contextmanager
    def _answer(
        self,
        method: str,
        url: str,
        *,
        seconds: float,
        most: int,
        body: Callable[[], Iterator[bytes]] | None = None,
        headers: dict[str, str] | None = None,
    ) -> Generator[StreamedAnswer, None, None]:
        """The answer to a request; once more with a new token if the first is not accepted."""
        token = self._token()
        with self._stream(method, url, token, seconds, most, body, headers) as answer:
            is_refused = answer.status == 401
            if not is_refused:
                yield answer
        if is_refused:
            with self._stream(method, url, self._ask_for_token(), seconds, most, body, headers) as answer:
                yield answer

    @contextmanager
    def _stream(
        self,
        method: str,
        url: str,
        token: str,
        seconds: float,
        most: int,
        body: Callable[[], Iterator[bytes]] | None,
        headers: dict[str, str] | None,
    ) -> Generator[StreamedAnswer, None, None]:
        with (
            _problems(),
            self._http.stream(
                method,
                url,
                seconds=seconds,
                max_bytes=most,
                body=body() if body is not None else None,
                headers={"Accept": "application/json", "Authorization": f"Bearer {token}", **(headers or {})},
            ) as answer,
        ):
            yield answer

    def _token(self) -> str:
        """The token that there is, or a new one shortly before it ends."""
        service = self._service
        if (
            service.access_token
            and service.token_until
            and service.token_until > timezone.now() + _TOKEN_MARGIN
        ):
            return str(service.access_token)
        return self._ask_for_token()

    def _ask_for_token(self) -> str:
        """OAuth 2.0 client credentials by `private_key_jwt` (B1.4.2 5, RFC 7523)."""
        service = self._service
        form = {
            "grant_type": "client_credentials",
            "client_assertion_type": _ASSERTION_TYPE,
            "client_assertion": self._assertion(),
            "scope": " ".join(Scope),
        }
        with _problems():
            answer = self._http.request(
                "POST",
                service.token_address,
                seconds=settings.SDK_HTTP_TIMEOUT_SECONDS,
                max_bytes=_MAX_TOKEN_BYTES,
                body=urlencode(form).encode(),
                headers={"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"},
            )
        if answer.status in (400, 401, 403):
            raise RemoteProblem("token-refused")
        if not answer.is_ok:
            _raise_unavailable(answer.status, answer.headers.get("Retry-After"))
        values = _object(answer.body)
        token, lasts = values.get("access_token"), values.get("expires_in", 300)
        if not isinstance(token, str) or not token.isascii() or not token.isprintable() or not token:
            raise AnswerInvalid("token-invalid")
        if isinstance(lasts, bool) or not isinstance(lasts, int) or lasts <= 0:
            raise AnswerInvalid("token-invalid")
        service.access_token = token
        service.token_until = timezone.now() + timedelta(seconds=min(lasts, _LONGEST_TOKEN_SECONDS))
        service.save(update_fields=["access_token", "token_until"])
        return token

    def _assertion(self) -> str:
        service, now = self._service, int(time.time())
        claims = {
            "iss": service.client_id,
            "sub": service.client_id,
            "aud": service.token_address,
            "iat": now,
            "exp": now + _ASSERTION_SECONDS,
            "jti": uuid.uuid4().hex,
        }
        header = {"alg": _ALGORITHM, "kid": service.key_id}
        try:
            key = ECKey.import_key(str(service.private_key))
            return jwt.encode(header, claims, key, algorithms=[_ALGORITHM])
        except (JoseError, ValueError) as error:
            raise RemoteProblem("key-unusable") from error


@contextmanager
def _problems() -> Generator[None, None, None]:
    """What the connection raises, as `RemoteProblem`."""
    try:
        yield
    except AddressRefused:
        raise RemoteProblem("address-not-allowed") from None
    except TooLong:
        raise AnswerInvalid("answer-too-long") from None
    except NoAnswer as error:
        raise RemoteProblem("tls" if str(error) == "SSLError" else "no-answer") from None


def _expect(answer: StreamedAnswer, status: int) -> None:
    """Raises `NotThere`, `RemoteProblem` for any other status."""
    if answer.status == status:
        return
    if answer.status in (404, 410):
        raise NotThere
    if answer.status in (401, 403):
        raise RemoteProblem("not-allowed")
    _raise_unavailable(answer.status, answer.headers.get("Retry-After"))


def _raise_unavailable(status: int, retry_after: str | None) -> None:
    if status in (429, 503):
        raise RemoteProblem("busy", _wait(retry_after))
    if status >= 500:
        raise RemoteProblem("server-error", _wait(retry_after) if retry_after else None)
    raise AnswerInvalid("status-unexpected")


def _wait(text: str | None) -> timedelta | None:
    """A `Retry-After` (RFC 9110 10.2.3), from a second to an hour; None where it says nothing that can be
    read."""
    text = (text or "").strip()
    if text.isascii() and text.isdecimal():
        wait = timedelta(seconds=int(text[:6]))
    else:
        try:
            moment = parsedate_to_datetime(text)
        except (ValueError, TypeError, OverflowError):
            return None
        moment = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
        wait = moment - datetime.now(UTC)
    return max(_SHORTEST_WAIT, min(wait, _LONGEST_WAIT))


def _object(data: bytes) -> dict[str, Any]:
    """A JSON object without what cannot be stored. Raises `AnswerInvalid`."""
    try:
        value = json.loads(data.decode())
        json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        raise AnswerInvalid from None
    if not isinstance(value, dict):
        raise AnswerInvalid
    return value


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as source:
        while chunk := source.read(_CHUNK):
            yield chunk
