"""The organisation's private keys and the secrets of its connections: a file of their own, encrypted to a key
of its own, written only when it is asked for.

The first line says which export the file belongs to; then a line for each row: the model, and its values.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from sdkportal.backup.errors import BackupError
from sdkportal.backup.targets import Target

from .belongings import SECRETS, Kind, labels, model_of, rows_of
from .errors import LeavingError
from .manifests import FORMAT, Manifest
from .rows import as_json
from .sealed_files import Identities, Recipients, line_of, lines_of, opened, write_sealed

_BATCH: Final = 500


def write_keys(
    participant_id: str, export_id: UUID, target: Target, name: str, recipients: Recipients
) -> None:
    """Write the file. Raises `LeavingError`."""
    write_sealed(target, name, _lines(participant_id, export_id), recipients)


def _lines(participant_id: str, export_id: UUID) -> Iterator[bytes]:
    yield line_of({"format": FORMAT, "export": str(export_id), "participant_id": participant_id})
    for label in labels(Kind.KEYS):
        fields = list(model_of(label)._meta.concrete_fields)
        for rows in rows_of(label, participant_id):
            for row in rows.order_by("pk").iterator(_BATCH):
                yield line_of({"model": label, "values": as_json(row, fields)})
    for label, names in SECRETS.items():
        fields = [each for each in model_of(label)._meta.concrete_fields if each.name in names]
        for rows in rows_of(label, participant_id):
            for row in rows.order_by("pk").iterator(_BATCH):
                yield line_of({"model": label, "key": str(row.pk), "secrets": as_json(row, fields)})


@dataclass(frozen=True, slots=True)
class Keys:
    """What a file of keys holds: rows of models that are keys, and secrets of exported rows by their keys."""

    rows: dict[str, list[dict[str, Any]]]
    secrets: dict[tuple[str, str], dict[str, Any]]


def read_keys(target: Target, name: str, identities: Identities, manifest: Manifest) -> Keys:
    """What the file of an export's keys holds. Raises `LeavingError`, also where it is another export's."""
    keys = Keys({}, {})
    try:
        with target.open(name) as source, opened(source, identities, name) as content:
            lines = lines_of(content, name)
            head: dict[str, Any] = next(lines, {})
            if head.get("format") != FORMAT or head.get("export") != str(manifest.id):
                raise LeavingError(f"{name} does not belong to this export.")
            for line in lines:
                if "secrets" in line:
                    keys.secrets[line["model"], line["key"]] = dict(line["secrets"])
                else:
                    keys.rows.setdefault(line["model"], []).append(dict(line["values"]))
    except BackupError as error:
        raise LeavingError(f"{error}.") from None
    except (LookupError, TypeError, AttributeError):
        raise LeavingError(f"{name} is not a file of an export's keys.") from None
    return keys
