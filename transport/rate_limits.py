"""Rate limits for requests that are costly, or that could guess something: above them the answer is HTTP 429.

A person is counted by who they are logged in as, others by their address: the one that the proxy names in
`SDK_CLIENT_ADDRESS_HEADER`, else the connection's. If that is an address of this machine, a proxy stands in
between without naming the client, and all would be counted as one: then only the proxy limits (`limit_req` in
deploy/nginx).
"""

import ipaddress
from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django_ratelimit.core import get_usage  # type: ignore[import-untyped]

_Given = ParamSpec("_Given")
_Request = TypeVar("_Request", bound=HttpRequest)
_Answer = TypeVar("_Answer", bound=HttpResponseBase)
Refusal = Callable[[Any], HttpResponse]


def page(request: HttpRequest) -> HttpResponse:
    """The response for a person: a page with HTTP 429."""
    return render(request, "429.html", status=429)


def limited(
    group: str, *, refusal: Refusal = page, methods: tuple[str, ...] = ("GET", "HEAD", "POST")
) -> Callable[
    [Callable[Concatenate[_Request, _Given], _Answer]],
    Callable[Concatenate[_Request, _Given], _Answer | HttpResponse],
]:
    """Let a view be called as often as `SDK_RATE_LIMITS` says of the group; then it answers `refusal`, with
    the seconds to wait in Retry-After."""

    def decorate(
        view: Callable[Concatenate[_Request, _Given], _Answer],
    ) -> Callable[Concatenate[_Request, _Given], _Answer | HttpResponse]:
        @wraps(view)
        def counted(request: _Request, *args: _Given.args, **kwargs: _Given.kwargs) -> _Answer | HttpResponse:
            seconds = _to_wait(request, group) if request.method in methods else 0
            if not seconds:
                return view(request, *args, **kwargs)
            response = refusal(request)
            response.headers["Retry-After"] = str(seconds)
            response.headers["Cache-Control"] = "no-store"
            return response

        # With `extra_checks` mypy tells the positional request of `wraps` from that of the view.
        return cast(Callable[Concatenate[_Request, _Given], _Answer | HttpResponse], counted)

    return decorate


def _to_wait(request: HttpRequest, group: str) -> int:
    """The seconds until the view may be called again; 0 where it may now."""
    caller = _caller(request)
    if not caller:
        return 0
    usage: dict[str, Any] | None = get_usage(
        request,
        group=group,
        key=lambda *_: caller,
        rate=settings.SDK_RATE_LIMITS[group],
        increment=True,
    )
    return max(1, usage["time_left"]) if usage and usage["should_limit"] else 0


def _caller(request: HttpRequest) -> str:
    """The key that a caller is counted by; empty for one that is not counted."""
    user = getattr(request, "user", None)
    if user is not None and user.is_authenticated:
        return f"person {user.pk}"
    header = settings.SDK_CLIENT_ADDRESS_HEADER
    text = request.headers.get(header, "") if header else request.META.get("REMOTE_ADDR", "")
    try:
        address = ipaddress.ip_address(text.strip())
    except ValueError:
        return ""
    if address.is_loopback and not header:
        return ""
    # A caller with IPv6 has a whole network of addresses.
    return str(ipaddress.ip_network((address, 64 if address.version == 6 else 32), strict=False))
