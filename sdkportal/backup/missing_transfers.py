"""What a restored node does not know of: transfers in its log lines that its database does not have."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from transport.access_point.api import TransferEvent

_LINE: Final = re.compile(
    r"(?P<at>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z) \S+ \S+ "
    r"transfer_(?P<kind>received|delivered|sent) (?P<fields>.*)"
)
_FIELD: Final = re.compile(r'(\w+)=("(?:[^"\\]|\\.)*"|\S*)')
_ESCAPED: Final = re.compile(r"\\(.)")
_BATCH: Final = 1000
# What is more telling of the same transfer.
_ORDER: Final = ("sent", "delivered", "received")


@dataclass(frozen=True, slots=True)
class MissingTransfer:
    """A transfer that only the log lines tell of; `kind` is `received`, `delivered` or `sent`."""

    at: datetime
    kind: str
    as4_message_id: str
    conversation_id: str
    sender: str
    recipient: str


def missing_transfers(lines: Iterable[str], *, since: datetime | None = None) -> list[MissingTransfer]:
    """The transfers in log lines that the database does not know, in the order of the lines.

    Lines are as this node writes them, whatever stands before. Others are passed over. Each transfer is there
    once, however far apart its lines are, by the most telling of them.
    """
    missing: dict[str, MissingTransfer] = {}
    waiting: dict[str, MissingTransfer] = {}
    for line in lines:
        found = _transfer_of(line)
        if found is None or (since is not None and found.at < since):
            continue
        noted = missing if found.as4_message_id in missing else waiting
        earlier = noted.get(found.as4_message_id)
        if earlier is None or _ORDER.index(found.kind) > _ORDER.index(earlier.kind):
            noted[found.as4_message_id] = found
        if len(waiting) >= _BATCH:
            missing |= _unknown(waiting)
            waiting = {}
    return list((missing | _unknown(waiting)).values())


def _unknown(transfers: dict[str, MissingTransfer]) -> dict[str, MissingTransfer]:
    rows = TransferEvent.objects.filter(as4_message_id__in=transfers)
    known = set(rows.values_list("as4_message_id", flat=True))
    return {key: transfer for key, transfer in transfers.items() if key not in known}


def _transfer_of(line: str) -> MissingTransfer | None:
    match = _LINE.search(line)
    if match is None:
        return None
    fields = {name: _plain(value) for name, value in _FIELD.findall(match["fields"])}
    if not fields.get("as4_message_id"):
        return None
    return MissingTransfer(
        datetime.fromisoformat(match["at"]),
        match["kind"],
        fields["as4_message_id"],
        fields.get("conversation_id", ""),
        fields.get("sender", ""),
        fields.get("recipient", ""),
    )


def _plain(value: str) -> str:
    return _ESCAPED.sub(r"\1", value[1:-1]) if value.startswith('"') else value
