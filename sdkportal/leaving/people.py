"""People of an organisation that is imported: who of them are known here already, and how the others log in.

An installation knows a person by a keyed hash of the e-ID's claim, and has the claim nowhere. Where both
installations have the same SDK_PERSON_KEY, the hash stays. Otherwise the organisation tells the claims of its
people in a file; whoever is not in it cannot log in, and stays in the history by name.
"""

import csv
import hashlib
import hmac
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.conf import settings

from mailbox.models import Person
from mailbox.models.person import subject_key

from .errors import LeavingError

_CHECKED = b"sdkportal: which key people are known by"


def person_key_check() -> str:
    """What tells whether two installations know people by the same key, and nothing of the key."""
    return hmac.new(settings.SDK_PERSON_KEY.encode(), _CHECKED, hashlib.sha256).hexdigest()


def read_claims(path: Path | None) -> dict[int, str]:
    """The e-ID claims of people, by their keys in the export: `person;claim` a line, with that heading.

    Raises `LeavingError`.
    """
    if path is None:
        return {}
    found: dict[int, str] = {}
    try:
        with path.open(encoding="utf-8-sig", newline="") as source:
            for number, row in enumerate(csv.DictReader(source, delimiter=";"), 2):
                person, claim = (row.get("person") or "").strip(), (row.get("claim") or "").strip()
                if not person.isdecimal() or not claim or int(person) in found:
                    raise LeavingError(f"{path}, line {number}: not person;claim, or a person twice.")
                found[int(person)] = claim
    except (OSError, UnicodeDecodeError, csv.Error):
        raise LeavingError(f"{path} cannot be read as a file with the columns person;claim.") from None
    if len(set(found.values())) != len(found):
        raise LeavingError(f"{path} has one claim for two people.")
    return found


@dataclass
class KnownPeople:
    """The people of an export: those who are here already keep their rows (`known`, by exported key), and
    `unidentified` counts those who cannot log in."""

    claims: Mapping[int, str]
    has_same_key: bool
    known: dict[int, int] = field(default_factory=dict)
    unidentified: int = 0

    def identify(self, rows: Iterable[dict[str, Any]]) -> Iterable[dict[str, Any]]:
        """The people who are new here, with the hashes that they are known by here.

        Raises `LeavingError` where the file names somebody who is not in the export.
        """
        seen = set()
        for values in rows:
            key = values["id"]
            seen.add(key)
            if key in self.claims:
                hashed = subject_key(self.claims[key])
            elif self.has_same_key:
                hashed = values["subject_key"]
            else:
                hashed = ""
                self.unidentified += 1
            here = Person.objects.filter(subject_key=hashed).values_list("pk", flat=True).first()
            if hashed and here is not None:
                self.known[key] = here
            else:
                # Nobody's claim has such a hash.
                yield {**values, "subject_key": hashed or f"imported-{uuid.uuid4().hex}"}
        if unknown := self.claims.keys() - seen:
            raise LeavingError(f"The file of claims names {len(unknown)} people who are not in the export.")
