"""Requests to the e-ID provider, with the limits of all outgoing requests.

mozilla-django-oidc calls the module-level functions of `requests` and takes no session, so its name for that
module is replaced by ours.
"""

from types import SimpleNamespace
from typing import Any, Final

from django.conf import settings
from mozilla_django_oidc import auth

from transport.outgoing_http import Origin
from transport.outgoing_http.requests_session import RequestException, bounded_session

_MAX_ANSWER_BYTES: Final = 1024 * 1024

__all__ = ["RequestException", "bound_requests", "get"]


def bound_requests() -> None:
    """Replace the library's `requests` by ours."""
    auth.requests = SimpleNamespace(get=get, post=_post)


def get(url: str, **options: Any) -> Any:
    """The provider's answer; raises `RequestException`."""
    with _session() as session:
        return session.get(url, headers=options.get("headers"))


def _post(url: str, **options: Any) -> Any:
    with _session() as session:
        return session.post(
            url, data=options.get("data"), auth=options.get("auth"), headers=options.get("headers")
        )


def _session() -> Any:
    return bounded_session(origin=Origin.SETTINGS, seconds=settings.OIDC_TIMEOUT, max_bytes=_MAX_ANSWER_BYTES)
