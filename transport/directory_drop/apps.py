import os
from typing import Any, Final

from django.apps import AppConfig
from django.conf import settings
from django.core import checks

_ADAPTER: Final = "transport.directory_drop.adapter.DirectoryDrop"


class DirectoryDropConfig(AppConfig):
    name = "transport.directory_drop"

    def ready(self) -> None:
        checks.register(directory_is_set)


def directory_is_set(**_: Any) -> list[checks.CheckMessage]:
    """The adapter without its directory would keep every message for ever."""
    if settings.SDK_ACCESS_POINT_ADAPTER != _ADAPTER:
        return []
    if not settings.SDK_DROP_DIR:
        return [
            checks.Error("Set SDK_DROP_DIR: the adapter exchanges envelopes there.", id="directory_drop.E001")
        ]
    if not os.access(settings.SDK_DROP_DIR, os.R_OK | os.W_OK | os.X_OK):
        return [
            checks.Error("SDK_DROP_DIR is no directory that can be written to.", id="directory_drop.E002")
        ]
    return []
