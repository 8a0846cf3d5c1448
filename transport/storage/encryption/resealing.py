"""Re-encrypting stored texts and files that are not encrypted, or with a retired data key.

It can be interrupted and repeated while the node runs: values under the current key are skipped.
"""

from collections import Counter
from collections.abc import Iterator
from operator import attrgetter
from typing import Any, Final
from uuid import UUID, uuid4

from django.apps import apps
from django.db import models, transaction

from transport.storage import blobs

from . import texts
from .errors import AtRestError
from .fields import EncryptedJSONField, EncryptedTextField, Stored
from .keys import current_key

_BATCH: Final = 100
TEXTS: Final = "texts"
FILES: Final = "files"
GONE: Final = "files that are gone"
REFUSED: Final = "refused"


def seal_all(counts: Counter[str]) -> Iterator[str]:
    """Re-encrypt every row, and count texts and files in `counts`.

    Yields the rows that could not be read, each as `<model> <key>: <error>`.
    """
    for model in apps.get_models():
        fields = [each for each in model._meta.local_fields if isinstance(each, _FIELDS)]
        columns: dict[str, str] = getattr(model, "stored_files", {})
        if fields or columns:
            yield from _seal_model(model, fields, columns, counts)


def _seal_model(
    model: type[models.Model], fields: list[Any], columns: dict[str, str], counts: Counter[str]
) -> Iterator[str]:
    related = {field.organisation.rpartition(".")[0].replace(".", "__") for field in fields} - {""}
    rows = model._default_manager.select_related(*sorted(related)).order_by("pk")
    last = None
    while True:
        later = rows.filter(pk__gt=last) if last is not None else rows
        batch = list(later.values_list("pk", flat=True)[:_BATCH])
        if not batch:
            return
        for key in batch:
            try:
                with transaction.atomic():
                    row = rows.select_for_update(of=("self",)).filter(pk=key).first()
                    if row is not None:
                        _seal_texts(row, fields, counts)
                        _seal_files(row, columns, counts)
            except AtRestError as error:
                counts[REFUSED] += 1
                yield f"{model._meta.label} {key}: {type(error).__name__}"
        last = batch[-1]


def _seal_texts(row: Any, fields: list[Any], counts: Counter[str]) -> None:
    due = [field for field in fields if _is_due(row, field)]
    lacks_key = getattr(row, "file_key", "") is None
    if lacks_key:
        # From before files had keys: what is bound to it is sealed anew.
        due = fields
    for field in due:
        value = row.__dict__[field.attname]
        if isinstance(value, Stored):
            row.__dict__[field.attname] = field.opened(value, row, accept_plain=True)
    if lacks_key:
        row.file_key = uuid4()
    if due:
        row.save(update_fields=[field.attname for field in due] + (["file_key"] if lacks_key else []))
        counts[TEXTS] += len(due)


def _is_due(row: Any, field: Any) -> bool:
    value = row.__dict__[field.attname]
    if not isinstance(value, Stored):
        return False
    if not texts.is_sealed(value.text):
        return True
    return texts.key_id_of(value.text) != _current(attrgetter(field.organisation)(row))


def _seal_files(row: Any, columns: dict[str, str], counts: Counter[str]) -> None:
    for column, binding_name in columns.items():
        name = getattr(row, column)
        if not name:
            continue
        binding = getattr(row, binding_name)
        try:
            if blobs.sealed_with(name) != _current(binding.participant):
                blobs.seal_again(name, binding)
                counts[FILES] += 1
        except FileNotFoundError:
            counts[GONE] += 1


def _current(participant: str) -> UUID:
    return current_key(participant).id


_FIELDS: Final = (EncryptedTextField, EncryptedJSONField)
