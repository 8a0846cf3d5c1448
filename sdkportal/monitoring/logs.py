"""Log lines as fields: `time level logger event key=value ...`.

Log an event's name and its fields in `extra={"fields": {...}}`; never content, subjects, names of
persons or personal numbers. Of an error only its type and the line that raised it are written: its text may
repeat a message or a key. An event's name is in `snake_case`, so that it can be searched for.
"""

import logging
import re
import traceback
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

_FRAMES: Final = 8
_NEEDS_QUOTES: Final = re.compile(r'[\s"=]')


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
    """The event. Celery's own text about a failed task repeats the error: the task is named instead."""
    task = getattr(record, "data", None)
    if record.name.startswith("celery") and isinstance(task, dict) and "name" in task:
        return ["task", f"task={_quoted(task['name'])}", f"id={_quoted(task.get('id', ''))}"]
    return [record.getMessage()]


def _of_error(record: logging.LogRecord) -> dict[str, object]:
    """Fields of a record's error: its type, the type of its cause, the lines that raised it."""
    error = record.exc_info[1] if record.exc_info else None
    if error is None:
        return {}
    fields: dict[str, object] = {"error": type(error).__name__}
    cause = error.__cause__ or error.__context__
    if cause is not None:
        fields["because"] = type(cause).__name__
    frames = traceback.extract_tb(error.__traceback__)[-_FRAMES:]
    fields["where"] = " < ".join(f"{Path(frame.filename).name}:{frame.lineno}" for frame in reversed(frames))
    return fields


def _quoted(value: object) -> str:
    text = str(value)
    if text and _NEEDS_QUOTES.search(text) is None:
        return text
    return (
        '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\r", "\\r") + '"'
    )
