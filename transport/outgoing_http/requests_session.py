"""For libraries that send by `requests`: a session of theirs whose every request goes our way.

They see what `requests` gives them, and raise its errors.
"""

import io
from collections.abc import Mapping
from typing import Any

import requests
from requests import RequestException
from requests.adapters import BaseAdapter

from .addresses import AddressRefused, Origin
from .client import NoAnswer, request

__all__ = ["RequestException", "bounded_session"]


def bounded_session(
    *, origin: Origin, seconds: float, max_bytes: int, plain_http: bool = False
) -> requests.Session:
    """A session without the environment's proxies and passwords, without redirects, with a total deadline.

    `plain_http` is that of `check_url`.
    """
    session = _Session()
    adapter = _Adapter(origin, seconds, max_bytes, plain_http)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session


class _Session(requests.Session):
    def __init__(self) -> None:
        super().__init__()
        self.trust_env = False

    def request(self, *args: Any, **kwargs: Any) -> requests.Response:
        kwargs["allow_redirects"] = False
        kwargs["proxies"] = None
        return super().request(*args, **kwargs)


class _Adapter(BaseAdapter):
    def __init__(self, origin: Origin, seconds: float, max_bytes: int, plain_http: bool) -> None:
        super().__init__()
        self._origin = origin
        self._seconds = seconds
        self._max_bytes = max_bytes
        self._plain_http = plain_http

    def send(
        self,
        request_: requests.PreparedRequest,
        stream: bool = False,
        timeout: float | tuple[float, float] | tuple[float, None] | None = None,
        verify: bool | str = True,
        cert: bytes | str | tuple[bytes | str, bytes | str] | None = None,
        proxies: Mapping[str, str] | None = None,
    ) -> requests.Response:
        body = request_.body.encode() if isinstance(request_.body, str) else request_.body
        try:
            answer = request(
                request_.method or "GET",
                request_.url or "",
                origin=self._origin,
                seconds=self._seconds,
                max_bytes=self._max_bytes,
                body=body,
                headers={**request_.headers, "Accept-Encoding": "gzip"},
                plain_http=self._plain_http,
            )
        except AddressRefused as error:
            raise requests.exceptions.InvalidURL(str(error)) from None
        except NoAnswer as error:
            raise requests.exceptions.ConnectionError(str(error)) from None
        response = requests.Response()
        response.status_code = answer.status
        response.headers = requests.structures.CaseInsensitiveDict(answer.headers)
        response.encoding = requests.utils.get_encoding_from_headers(response.headers)
        response.raw = io.BytesIO(answer.body)
        response.url = request_.url or ""
        response.request = request_
        return response

    def close(self) -> None:
        """Each request has a connection of its own."""
