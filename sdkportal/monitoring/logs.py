"""Log lines as fields: `time level logger event key=value ...`.

Log an event's name and its fields in `extra={"fields": {...}}`; never content, subjects, names of
persons or personal numbers. Of an error only its type and where it rose are written: what an error says
may repeat what it was about, a message or a key.
"""

import logging
import traceback
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

_FRAMES: Final = 8


class FieldFormatter(logging.Formatter):
    """One line an event: ISO time in UTC with three fraction digits, then the fields in order."""

    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.fromtimestamp(record.created, UTC)
        parts = [
            moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z",
            record.levelname,
            record.name,
            *_event(record),
        ]
        fields: dict[str, object] = {**getattr(record, "fields", {}), **_of_error(record)}
        parts += [f"{key}={_quoted(value)}" for key, value in fields.items()]
        return " ".join(parts)


def _event(record: logging.LogRecord) -> list[str]:
    """What happened. Celery's own words of a task that failed repeat the error: it is named instead."""
    task = getattr(record, "data", None)
    if record.name.startswith("celery") and isinstance(task, dict) and "name" in task:
        return ["task", f"task={_quoted(task['name'])}", f"id={_quoted(task.get('id', ''))}"]
    return [record.getMessage()]


def _of_error(record: logging.LogRecord) -> dict[str, object]:
    """The error that a record carries: its type, that of what it came from, and where it rose."""
    error = record.exc_info[1] if record.exc_info else None
    if error is None:
        return {}
    told: dict[str, object] = {"error": type(error).__name__}
    cause = error.__cause__ or error.__context__
    if cause is not None:
        told["because"] = type(cause).__name__
    frames = traceback.extract_tb(error.__traceback__)[-_FRAMES:]
    told["where"] = " < ".join(f"{Path(frame.filename).name}:{frame.lineno}" for frame in reversed(frames))
    return told


def _quoted(value: object) -> str:
    text = str(value)
    if text and not any(character.isspace() or character in '"=' for character in text):
        return text
    return (
        '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\r", "\\r") + '"'
    )
