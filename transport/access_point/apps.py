from typing import Any, Final

from django.apps import AppConfig
from django.conf import settings
from django.core import checks

_TWELVE_MONTHS: Final = 366


class AccessPointConfig(AppConfig):
    name = "transport.access_point"

    def ready(self) -> None:
        checks.register(log_is_kept)


def log_is_kept(**_: Any) -> list[checks.CheckMessage]:
    """The federation asks for twelve months at least."""
    if settings.SDK_TRANSFER_LOG_DAYS >= _TWELVE_MONTHS:
        return []
    text = f"SDK_TRANSFER_LOG_DAYS must be {_TWELVE_MONTHS} or more: the log is kept for twelve months."
    return [checks.Error(text, id="access_point.E001")]
