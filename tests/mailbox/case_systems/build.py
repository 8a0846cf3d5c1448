"""Case systems, registered conversations, and receipts as case systems write them."""

import json
import uuid
from datetime import timedelta
from pathlib import Path

from django.db import transaction
from django.utils import timezone

from mailbox.case_systems import deliveries, polling
from mailbox.conversations import case_deliveries
from mailbox.models import CaseDelivery, CaseSystem, CaseSystemMailbox, Conversation, FunctionMailbox
from mailbox.registration.entries import register
from tests.mailbox.build import arrives
from tests.mailbox.registration.build import CASE


def a_case_system(mailbox: FunctionMailbox, **changes) -> CaseSystem:
    """A case system that is confirmed, which the mailbox may use."""
    values = {
        "participant_id": mailbox.participant_id,
        "name": "Diariet",
        "kind": CaseSystem.Kind.DIRECTORY,
        "folder": "diariet",
        "is_confirmed": True,
        "changed_at": timezone.now(),
    }
    made = CaseSystem.objects.create(**values | changes)
    CaseSystemMailbox.objects.create(case_system=made, mailbox=mailbox)
    return made


def a_registered(mailbox: FunctionMailbox, person) -> Conversation:
    with transaction.atomic():
        message = arrives(mailbox, conversation=str(uuid.uuid4()), message_id=str(uuid.uuid4()))
    register(message.conversation_id, person, CASE)
    return Conversation.objects.get(pk=message.conversation_id)


def another_message(conversation: Conversation) -> None:
    mailbox = conversation.mailbox
    arrives(mailbox, conversation=str(conversation.conversation_id), message_id=str(uuid.uuid4()))


def ordered(mailbox: FunctionMailbox, person, system: CaseSystem) -> CaseDelivery:
    return case_deliveries.order(a_registered(mailbox, person).pk, person, system.pk)


def handed_over(mailbox: FunctionMailbox, person, system: CaseSystem) -> CaseDelivery:
    delivery = ordered(mailbox, person, system)
    deliveries.work_on(delivery.pk)
    delivery.refresh_from_db()
    assert delivery.state == "delivered"
    return delivery


def answers(folder: Path, key, *, name: str = "", **values) -> Path:
    """A receipt in the directory; an acceptance where nothing else is said."""
    given = {"delivery_id": str(key), "status": "accepted", "case_number": "KS 2026/3117"}
    path = folder / "receipts" / (name or f"{uuid.uuid4()}.json")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"delivery_id": str(key), **values} if values else given))
    return path


def refuses(folder: Path, key, reason: str = "Fel diarium") -> Path:
    return answers(folder, key, status="refused", reason=reason)


def polled() -> None:
    """What the periodic task does, with what is due by then."""
    polling.poll()
    work_on_due()


def work_on_due() -> None:
    for key in list(CaseDelivery.due().values_list("pk", flat=True)):
        deliveries.work_on(key)


def later(delivery: CaseDelivery) -> None:
    """The pause before the next attempt has passed."""
    CaseDelivery.objects.filter(pk=delivery.pk).update(due_at=timezone.now() - timedelta(seconds=1))
