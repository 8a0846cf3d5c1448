"""A row of every kind that an organisation may have, made up from the models, also those that come later."""

import io
import uuid
from datetime import UTC, date, datetime
from decimal import Decimal
from graphlib import TopologicalSorter

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.fields import NOT_PROVIDED

from mailbox import access_log
from mailbox.models import Person
from sdkportal.leaving.belongings import BELONGINGS, PERSON, Kind, labels, model_of, rows_of
from transport.storage import blobs
from transport.storage.encryption.fields import EncryptedJSONField, EncryptedTextField

MORNING = datetime(2026, 11, 2, 8, 30, 15, 123456, tzinfo=UTC)
# What constraints between columns ask for.
OVERRIDES = {
    "message_service.Event": {"incoming": None},
    "message_service.IncomingMessage": {"sent_as": None, "is_accepted": True, "state": "NEW"},
    "message_service.OutgoingMessage": {"answers": None, "state": "ACCEPTED"},
    "message_api.HeldMessage": {"incoming": None},
    "mailbox.Reassignment": {"to_mailbox": None},
    "mailbox.PriceList": {"ends_on": None},
    "mailbox.StaffedHours": {"mailbox": None},
    "mailbox.DailyFigures": {"is_erased": True},
    "mailbox.DailyWait": {"is_erased": True},
    "mailbox.DailyCounterpart": {"is_erased": True, "counterpart": "0203:af.se"},
    "mailbox.CaseDelivery": {"state": "acknowledged"},
    "access_point.OutboundTransfer": {"state": "DELIVERED"},
    "access_point.TransferEvent": {"kind": "SENT", "certificate": "f" * 64},
    "directory_drop.DroppedTransfer": {"state": "DELIVERED"},
    "mailbox.ArrivalRule": {"actions": {"due_days": 3}},
    "mailbox.ApprovalRequest": {"content": {"answers": None, "attachments": [], "text": "Känsligt"}},
}


def make_up(participant_id: str, *, also: tuple[str, ...] = ()) -> list[str]:
    """Make a row of every exported model that the organisation has none of; the models."""
    person = Person.objects.order_by("pk").first() or Person.add("190001010000", "Ada Lovisa")[0]
    made = []
    wanted = [*labels(Kind.EXPORTED, Kind.KEYS, Kind.PASSING, Kind.REBUILT), *also]
    graph = {
        label: {
            field.related_model._meta.label
            for field in model_of(label)._meta.concrete_fields
            if field.remote_field and field.related_model is not model_of(label) and field.name != "sent_as"
        }
        for label in wanted
    }
    for label in TopologicalSorter(graph).static_order():
        belonging = BELONGINGS.get(label)
        if label not in wanted or label in ("mailbox.AccessLogEntry", "mailbox.AccessLogHead"):
            continue
        if belonging.paths and any(rows.exists() for rows in rows_of(label, participant_id)):
            continue
        make(label, participant_id, person)
        made.append(label)
    box = model_of("mailbox.FunctionMailbox").objects.filter(participant_id=participant_id).first()
    access_log.record(person, "member-added", participant_id, mailbox=box, person=person, note="x")
    access_log.record(None, "retention-run", participant_id, mailbox=box, deleted=0)
    return made


def make(label: str, participant_id: str, person: Person) -> models.Model:
    model = model_of(label)
    row = model()
    given = OVERRIDES.get(label, {})
    for field in model._meta.concrete_fields:
        if field.name in given:
            value = given[field.name]
        elif field.name == "id" and (isinstance(field, models.AutoField) or field.has_default()):
            continue
        elif field.name in ("participant_id", "sender", "recipient") and not field.remote_field:
            own = label not in ("message_service.OutgoingMessage", "message_service.IncomingMessage")
            value = participant_id if own else "0203:af.se"
        else:
            value = made_up(label, field, participant_id, person)
        setattr(row, field.name if field.remote_field and field.name in given else field.attname, value)
    for column, binding in getattr(model, "stored_files", {}).items():
        kept = getattr(row, binding)
        name = f"made-up/2026/11/02/{uuid.uuid4()}-{column}"
        setattr(row, column, blobs.store(name, io.BytesIO(f"Innehåll i {label}".encode()), kept))
    row.save(force_insert=True)
    return row


def made_up(label: str, field: models.Field, participant_id: str, person: Person):
    if field.remote_field is not None:
        target = field.related_model
        if target is model_of(label):
            return None
        if target._meta.label == PERSON:
            return person.pk
        belonging = BELONGINGS[target._meta.label]
        found = next((rows.first() for rows in rows_of(target._meta.label, participant_id)), None)
        assert found is not None or field.null, (label, field.name, belonging)
        return found and found.pk
    if isinstance(field, EncryptedTextField):
        return "Hemligt om någon"
    if isinstance(field, EncryptedJSONField):
        kind = field.default() if callable(field.default) else []
        return [{"label": "Hemligt", "value": "om någon"}] if isinstance(kind, list) else {"x": "Hemligt"}
    if field.choices:
        return field.choices[0][0]
    if isinstance(field, models.DateTimeField):
        return None if field.null and field.name in _JOBS else MORNING
    if field.null and field.name in _JOBS:
        return None
    if isinstance(field, models.DateField):
        return date(2026, 11, 2)
    if isinstance(field, models.DecimalField):
        return Decimal("12.50")
    if isinstance(field, models.BooleanField):
        return False
    if isinstance(field, ArrayField):
        return [person.pk] if field.name == "writer_ids" else [1]
    if isinstance(field, models.JSONField):
        return field.default() if field.default is not NOT_PROVIDED else []
    if isinstance(field, models.UUIDField):
        return uuid.uuid4()
    if isinstance(field, models.BinaryField):
        return b"\x00\xffbytes"
    if isinstance(field, models.IntegerField):
        return 1
    if isinstance(field, models.CharField | models.TextField):
        return (f"{field.name}-{uuid.uuid4().hex}")[: field.max_length or 60]
    raise AssertionError(f"{label}.{field.name}")


_JOBS = {"due_at", "lease", "lease_until", "slot", "send_at", "ended_at"}
