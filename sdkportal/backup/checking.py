"""Checking that everything a node keeps can be opened: what a restored backup has to show."""

import logging
from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

from django.apps import apps
from django.core.exceptions import ObjectDoesNotExist
from django.db import models

from mailbox import access_log
from transport.storage import blobs
from transport.storage.encryption.errors import AtRestError
from transport.storage.encryption.fields import EncryptedJSONField, EncryptedTextField

from .stored_files import StoredFile, named_by_rows

logger = logging.getLogger(__name__)
_CHUNK: Final = 1024 * 1024
_BATCH: Final = 500
FILES: Final = "files"
TEXTS: Final = "texts"
LOGS: Final = "access logs"


def faults(counts: Counter[str]) -> Iterator[str]:
    """Open every stored file and encrypted text, and verify every access log; a line for each that is not
    whole, without content. What was found sound is counted in `counts`."""
    yield from _faults_of_files(counts)
    yield from _faults_of_texts(counts)
    yield from _faults_of_logs(counts)


def _faults_of_files(counts: Counter[str]) -> Iterator[str]:
    for file in named_by_rows():
        fault = _fault_of(file)
        if fault:
            yield f"{file.model._meta.label} {file.key}: {file.name}: {fault}"
        else:
            counts[FILES] += 1


def _fault_of(file: StoredFile) -> str:
    try:
        with blobs.open_stored(file.name, file.binding()) as content:
            while content.read(_CHUNK):
                pass
    except FileNotFoundError:
        return "is missing"
    except ObjectDoesNotExist:
        # The row was removed meanwhile, and its file.
        return ""
    except (AtRestError, OSError) as error:
        return f"cannot be opened ({type(error).__name__})"
    return ""


def _faults_of_texts(counts: Counter[str]) -> Iterator[str]:
    for model in apps.get_models():
        fields: list[Any] = [field for field in model._meta.local_fields if isinstance(field, _ENCRYPTED)]
        if fields:
            yield from _faults_of_model(model, fields, counts)


def _faults_of_model(model: type[models.Model], fields: list[Any], counts: Counter[str]) -> Iterator[str]:
    related = {field.organisation.rpartition(".")[0].replace(".", "__") for field in fields} - {""}
    rows = model._default_manager.select_related(*sorted(related)).order_by("pk")
    for row in rows.iterator(_BATCH):
        for field in fields:
            try:
                getattr(row, field.attname)
                counts[TEXTS] += 1
            except AtRestError as error:
                yield f"{model._meta.label} {row.pk}: {field.name}: cannot be opened ({type(error).__name__})"


def _faults_of_logs(counts: Counter[str]) -> Iterator[str]:
    for participant_id in sorted(access_log.organisations()):
        found = list(access_log.verify(participant_id))
        yield from (f"access log of {participant_id}: entry {each.number} {each.what}" for each in found)
        if not found:
            counts[LOGS] += 1


_ENCRYPTED: Final = (EncryptedTextField, EncryptedJSONField)
