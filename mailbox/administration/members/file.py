"""A file of members of a mailbox.

It holds personal numbers. It is read, shown row by row and read again when it is confirmed; nothing of it is
kept in between.
"""

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django import forms
from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy

from mailbox.administration import mailboxes
from mailbox.forms import first_errors
from mailbox.models import FunctionMailbox, Membership, Person
from mailbox.models.person import subject_key

from .forms import MemberForm

MOST_BYTES: Final = 200_000
MOST_ROWS: Final = 500
# The columns of a file, by the names that they may have.
_COLUMNS: Final = {
    "personnummer": "subject",
    "identitet": "subject",
    "subject": "subject",
    "namn": "name",
    "name": "name",
    "roll": "role",
    "role": "role",
    "till": "until",
    "until": "until",
}
_ROLES: Final = {
    "": "",
    "observatör": "observer",
    "läsare": "reader",
    "skribent": "writer",
    "medlem": "member",
    "ansvarig": "manager",
}
FILE_ERRORS: Final = {
    "missing": lazy("Välj en fil."),
    "too-large": lazy("Filen är för stor: högst 200 kB."),
    "too-many": lazy("Filen har för många rader: högst 500."),
    "unreadable": lazy("Det går inte att läsa filen som CSV."),
    "columns": lazy("Första raden ska ha kolumnerna personnummer och namn."),
    "empty": lazy("Filen har inga rader efter den första."),
}


class FileRefused(Exception):
    """The file as a whole is not of its form; `reason` is a code of `FILE_ERRORS`."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class MemberFileForm(forms.Form):
    """A file of members, or its text once it has been shown, and whether that is confirmed."""

    file = forms.FileField(required=False, allow_empty_file=True)
    text = forms.CharField(required=False, strip=False, max_length=MOST_BYTES)
    confirmed = forms.BooleanField(required=False)

    def content(self) -> str:
        """The text of the file. Raises `FileRefused`."""
        self.full_clean()
        upload = self.cleaned_data.get("file")
        if upload is None:
            text = str(self.cleaned_data.get("text") or "")
            if not text:
                raise FileRefused("missing")
            return text
        if upload.size > MOST_BYTES:
            raise FileRefused("too-large")
        content = upload.read()
        try:
            return str(content.decode("utf-8-sig"))
        except UnicodeDecodeError:
            # As spreadsheets save in Sweden unless they are told otherwise.
            return str(content.decode("cp1252", errors="replace"))


class RowsRefused(Exception):
    """A row of the file does not say who becomes a member, so that nobody is added."""


@dataclass(frozen=True, slots=True)
class MemberRow:
    """A row of a file: `number` is the spreadsheet's, the heading being 1. `errors` tell what is wrong with
    it; `is_member` that the person is a member already, whose role and last day are changed."""

    number: int
    subject: str
    name: str
    role: str
    ends_at: datetime | None
    errors: tuple[str, ...]
    is_member: bool


def read_rows(text: str, actor: Person, mailbox: FunctionMailbox) -> list[MemberRow]:
    """The rows of a file, each with what is wrong with it. Raises `FileRefused`."""
    members = set(mailbox.memberships.values_list("person__subject_key", flat=True))
    seen: set[str] = set()
    rows = []
    for number, cells in _cells_of(text):
        form = MemberForm(cells | {"person": "", "role": _ROLES.get(cells["role"].lower(), cells["role"])})
        form.full_clean()
        given = form.cleaned_data
        key = subject_key(given.get("subject") or "")
        errors = list(first_errors(form).values())
        if given.get("subject"):
            if key == actor.subject_key:
                errors.append(_("Du kan inte göra dig själv till medlem. Be en annan ansvarig."))
            if key in seen:
                errors.append(_("Personen står på en tidigare rad."))
            seen.add(key)
        rows.append(
            MemberRow(
                number,
                given.get("subject") or "",
                given.get("name") or cells["name"][:100],
                given.get("role") or Membership.Role.MEMBER,
                form.ends_at() if given.get("until") else None,
                tuple(errors),
                key in members,
            )
        )
    if not rows:
        raise FileRefused("empty")
    return rows


def add_rows(actor: Person, mailbox: FunctionMailbox, rows: list[MemberRow]) -> None:
    """Make everybody in the rows a member, all or none. Raises `RowsRefused`."""
    if any(row.errors for row in rows):
        raise RowsRefused
    with transaction.atomic():
        for row in rows:
            mailboxes.add_member(actor, mailbox, row.subject, row.name, role=row.role, ends_at=row.ends_at)


def _cells_of(text: str) -> Iterator[tuple[int, dict[str, str]]]:
    """The rows after the heading, by the names of the columns; rows without anything are left out."""
    first_line = text.lstrip("\ufeff").split("\n", 1)[0]
    separator = max(";,\t", key=first_line.count)
    reader = csv.reader(io.StringIO(text.lstrip("\ufeff"), newline=""), delimiter=separator)
    try:
        heading = [_COLUMNS.get(cell.strip().lower(), "") for cell in next(reader, [])]
        if not {"subject", "name"} <= set(heading):
            raise FileRefused("columns")
        count = 0
        for number, cells in enumerate(reader, start=2):
            if not any(cell.strip() for cell in cells):
                continue
            count += 1
            if count > MOST_ROWS:
                raise FileRefused("too-many")
            found = dict.fromkeys(("subject", "name", "role", "until"), "")
            found |= {name: cell.strip() for name, cell in zip(heading, cells, strict=False) if name}
            yield number, found
    except csv.Error:
        raise FileRefused("unreadable") from None
