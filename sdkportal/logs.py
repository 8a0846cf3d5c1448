"""Log lines as fields: `time level logger event key=value ...`.

Log an event's name and its fields in `extra={"fields": {...}}`; never content, subjects, names of
persons or personal numbers.
"""

import logging
from datetime import UTC, datetime


class FieldFormatter(logging.Formatter):
    """One line an event: ISO time in UTC with three fraction digits, then the fields in order."""

    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.fromtimestamp(record.created, UTC)
        parts = [
            moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z",
            record.levelname,
            record.name,
            record.getMessage(),
        ]
        fields: dict[str, object] = getattr(record, "fields", {})
        parts += [f"{key}={_quoted(value)}" for key, value in fields.items()]
        line = " ".join(parts)
        if record.exc_info:
            line += "\n" + self.formatException(record.exc_info)
        return line


def _quoted(value: object) -> str:
    text = str(value)
    if text and not any(character.isspace() or character in '"=' for character in text):
        return text
    return (
        '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\r", "\\r") + '"'
    )
