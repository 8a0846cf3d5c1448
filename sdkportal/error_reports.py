"""Django's error reports without content, keys or passwords."""

import re
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.views.debug import ExceptionReporter, SafeExceptionReporterFilter


class ErrorReportFilter(SafeExceptionReporterFilter):
    """Also hides PINs, the broker's password, all posted values and all local variables."""

    hidden_settings = re.compile(f"{SafeExceptionReporterFilter.hidden_settings.pattern}|PIN|BROKER", re.I)

    def get_traceback_frame_variables(self, request: HttpRequest | None, tb_frame: Any) -> Any:
        return ()

    def get_post_parameters(self, request: HttpRequest | None) -> Any:
        return dict.fromkeys(super().get_post_parameters(request), self.cleansed_substitute)


class ErrorReporter(ExceptionReporter):
    """Django's error report without the error's text, which may repeat content."""

    def get_traceback_data(self) -> dict[str, Any]:
        data = super().get_traceback_data()
        if not settings.DEBUG:
            data["exception_value"] = ""
            for frame in data["frames"]:
                frame["exc_cause"] = type(frame["exc_cause"]).__name__ if frame.get("exc_cause") else None
        return data
