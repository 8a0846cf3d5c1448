"""The age of the backup."""

import time
from pathlib import Path

from django.conf import settings


def backup_age_seconds() -> float | None:
    """How long ago SDK_BACKUP_FILE was touched; None where there is none."""
    try:
        return max(0.0, time.time() - Path(settings.SDK_BACKUP_FILE).stat().st_mtime)
    except OSError:
        return None
