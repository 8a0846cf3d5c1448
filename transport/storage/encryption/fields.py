"""Model fields whose values are sealed in the database and opened when they are looked at.

    subject = EncryptedTextField(organisation="mailbox.participant_id", bound_to=("conversation_id",))

`organisation` is where the row's participant id is found, `bound_to` what of the row the value belongs to: it
opens in no other. A value is opened when it is first used, so a query that does not use it pays nothing; the
empty text and the empty list are stored as they are, and are all that can be filtered by.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

from django.conf import settings
from django.core.exceptions import FieldError
from django.db import models
from django.db.models.query_utils import DeferredAttribute

from . import texts
from .errors import NotSealed


@dataclass(frozen=True, slots=True, repr=False)
class Stored:
    """A value as the database holds it, not opened yet. `values()` and `values_list()` give these."""

    text: str

    def __repr__(self) -> str:
        return "<sealed>"

    __str__ = __repr__


class _OpenedWhenUsed(DeferredAttribute):
    """Opens a value for the row that it is in, once."""

    field: Any

    def __set__(self, instance: models.Model, value: Any) -> None:
        # With a setter the descriptor is asked although the row has the value.
        instance.__dict__[self.field.attname] = value

    def __get__(self, instance: models.Model | None, cls: Any = None) -> Any:
        value = super().__get__(instance, cls)
        if instance is not None and isinstance(value, Stored):
            value = self.field.opened(value, instance)
            instance.__dict__[self.field.attname] = value
        return value


class _Encrypted:
    """The common base of the encrypted fields."""

    descriptor_class = _OpenedWhenUsed
    name: str
    column: str
    model: type[models.Model]

    def __init__(
        self, *args: Any, organisation: str = "", bound_to: Sequence[str] = (), **kwargs: Any
    ) -> None:
        # Neither changes the column, so `deconstruct` leaves both out and migrations do not repeat them.
        self.organisation = organisation
        self.bound_to = tuple(bound_to)
        super().__init__(*args, **kwargs)

    def place_of(self, instance: models.Model) -> str:
        """The context that a value is bound to: the table's column and the row.

        A model or a field may get another name; what is sealed opens as long as table and column keep theirs.
        """
        meta = instance._meta
        table = f"{meta.app_label}.{meta.db_table.removeprefix(f'{meta.app_label}_')}"
        names = [str(getattr(instance, name)) for name in self.bound_to]
        return "|".join((table, self.column, *names))

    def opened(self, value: Stored, instance: models.Model, *, accept_plain: bool = False) -> Any:
        if texts.is_sealed(value.text):
            return self.read(texts.open_text(value.text, self.place_of(instance)))
        if self.is_empty(value.text) or accept_plain or settings.SDK_ACCEPT_PLAIN:
            return self.read(value.text)
        raise NotSealed(f"{instance._meta.label}.{self.name} is in the clear; see docs/keys.md")

    def pre_save(self, instance: models.Model, add: bool) -> Any:
        """The value as it is stored; one that has not been decrypted is stored unchanged."""
        value = instance.__dict__.get(self.name)
        if isinstance(value, Stored):
            return value
        text = self.write(getattr(instance, self.name))
        if text is None or self.is_empty(text):
            return Stored(text or "")
        return self.sealed(text, instance, attrgetter(self.organisation)(instance))

    def seal_for(self, instance: models.Model, participant: str) -> Stored:
        """The value as it is stored, for the organisation that the row is known to belong to."""
        text = self.write(getattr(instance, self.name))
        if text is None or self.is_empty(text):
            return Stored(text or "")
        return self.sealed(text, instance, participant)

    def sealed(self, text: str, instance: models.Model, participant: str) -> Stored:
        """A text, sealed for the organisation and bound to the row."""
        return Stored(texts.seal_text(text, participant, self.place_of(instance)))

    def get_lookup(self, lookup_name: str) -> Any:
        """Only emptiness can be asked for."""
        if lookup_name not in {"exact", "isnull"}:
            raise FieldError(f"{self.name} is sealed: {lookup_name} cannot be asked of it")
        return super().get_lookup(lookup_name)  # type: ignore[misc]

    def read(self, text: str) -> Any:
        raise NotImplementedError

    def write(self, value: Any) -> str | None:
        raise NotImplementedError

    def is_empty(self, text: str) -> bool:
        raise NotImplementedError


class EncryptedTextField(_Encrypted, models.TextField):  # type: ignore[misc, type-arg]
    """A text. `max_length` is for forms and says nothing of the column."""

    def from_db_value(self, value: str | None, expression: Any, connection: Any) -> Any:
        return value if value is None or value == "" else Stored(value)

    def get_prep_value(self, value: Any) -> Any:
        if isinstance(value, Stored):
            return value.text
        if value in ("", None):
            return value
        raise FieldError(f"{self.name} is sealed: save the row, and filter by nothing but the empty text")

    def read(self, text: str) -> str:
        return text

    def write(self, value: str | None) -> str | None:
        return value

    def is_empty(self, text: str) -> bool:
        return text == ""


class EncryptedJSONField(_Encrypted, models.JSONField):  # type: ignore[misc]
    """A JSON value, in a column of PostgreSQL's jsonb: sealed it is a JSON text."""

    def from_db_value(self, value: str | None, expression: Any, connection: Any) -> Any:
        if value is None:
            return None
        loaded = json.loads(value)
        if isinstance(loaded, str) and texts.is_sealed(loaded):
            return Stored(loaded)
        return loaded if loaded in ([], {}) else Stored(value)

    def get_db_prep_value(self, value: Any, connection: Any, prepared: bool = False) -> Any:
        if isinstance(value, Stored):
            value = value.text if texts.is_sealed(value.text) else json.loads(value.text)
        elif value not in ([], {}, None):
            raise FieldError(f"{self.name} is sealed: save the row, and filter by nothing but the empty list")
        return super().get_db_prep_value(value, connection, prepared)

    def read(self, text: str) -> Any:
        return json.loads(text)

    def write(self, value: Any) -> str | None:
        return json.dumps(value, ensure_ascii=False)

    def is_empty(self, text: str) -> bool:
        return text in {"[]", "{}"}
