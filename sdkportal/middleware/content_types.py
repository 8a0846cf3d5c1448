"""Requests whose Content-Type may be anything: Django's classes fail on some before any view is reached.

A parameter in an encoding that does not exist (RFC 2231), or a charset that is no encoding of text, raises
where nobody catches it, and would be answered with 500. All that people and clients send here is UTF-8.
"""

from collections.abc import Mapping
from typing import Any, TypeVar

from django.core.handlers.asgi import ASGIHandler, ASGIRequest
from django.core.handlers.wsgi import WSGIHandler, WSGIRequest
from django.utils.http import parse_header_parameters

Handler = TypeVar("Handler", ASGIHandler, WSGIHandler)


class _AnyContentType:
    content_type: str | None
    content_params: dict[str, str] | None

    def _set_content_type_params(self, meta: Mapping[str, Any]) -> None:
        """Read the content type; one that cannot be read is none. The charset does not count."""
        try:
            self.content_type, self.content_params = parse_header_parameters(meta.get("CONTENT_TYPE", ""))
        except ValueError:
            self.content_type, self.content_params = "", {}


class AsgiRequest(_AnyContentType, ASGIRequest):
    """A request by ASGI, with any content type."""


class WsgiRequest(_AnyContentType, WSGIRequest):
    """A request by WSGI, with any content type."""


def with_any_content_type(handler: Handler) -> Handler:
    """Let Django's application make requests of these classes."""
    handler.request_class = AsgiRequest if isinstance(handler, ASGIHandler) else WsgiRequest
    return handler
