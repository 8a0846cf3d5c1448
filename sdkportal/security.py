"""The Content Security Policy of every page: nothing inline, nothing from elsewhere; and what a page may not
use of the browser."""

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.views.debug import ExceptionReporter, SafeExceptionReporterFilter

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; frame-src 'self'; form-action 'self' {provider}; frame-ancestors 'none'; "
    "base-uri 'none'; manifest-src 'self'"
)


# What no page needs of a browser, it may not use: not in a frame or by a script that got in either.
_PERMISSIONS = ", ".join(
    f"{feature}=()"
    for feature in (
        *("accelerometer", "autoplay", "bluetooth", "camera", "display-capture", "encrypted-media"),
        *("geolocation", "gyroscope", "hid", "idle-detection", "magnetometer", "microphone", "midi"),
        *("payment", "picture-in-picture", "publickey-credentials-get", "screen-wake-lock", "serial"),
        *("usb", "xr-spatial-tracking"),
    )
)


def _policy() -> str:
    """Logging out is a form that leads on to the e-ID provider, so its origin is allowed too."""
    scheme, host = urlsplit(settings.OIDC_OP_LOGOUT_ENDPOINT)[:2]
    return _POLICY.format(provider=f"{scheme}://{host}" if host else "").replace(" ;", ";")


class ContentSecurityPolicyMiddleware:
    """Sets the policies where a view has not set stricter ones of its own."""

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[..., Any]) -> None:
        self.get_response = get_response
        if iscoroutinefunction(get_response):
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> Any:
        if iscoroutinefunction(self):
            return self._call_async(request)
        return self._with_policy(self.get_response(request))

    async def _call_async(self, request: HttpRequest) -> HttpResponse:
        return self._with_policy(await self.get_response(request))

    @staticmethod
    def _with_policy(response: HttpResponse) -> HttpResponse:
        response.headers.setdefault("Content-Security-Policy", _policy())
        response.headers.setdefault("Permissions-Policy", _PERMISSIONS)
        return response


class ErrorReportFilter(SafeExceptionReporterFilter):
    """What Django's error report leaves out, besides what it knows: a token's PIN, a broker's password, and
    every variable. What a step works on is keys and messages: a report says where it failed, not on what."""

    hidden_settings = re.compile(f"{SafeExceptionReporterFilter.hidden_settings.pattern}|PIN|BROKER", re.I)

    def get_traceback_frame_variables(self, request: HttpRequest | None, tb_frame: Any) -> Any:
        return ()

    def get_post_parameters(self, request: HttpRequest | None) -> Any:
        return dict.fromkeys(super().get_post_parameters(request), self.cleansed_substitute)


class ErrorReporter(ExceptionReporter):
    """Django's error report without what the error says: that may repeat what it was about."""

    def get_traceback_data(self) -> dict[str, Any]:
        data = super().get_traceback_data()
        if not settings.DEBUG:
            data["exception_value"] = ""
            for frame in data["frames"]:
                frame["exc_cause"] = type(frame["exc_cause"]).__name__ if frame.get("exc_cause") else None
        return data
