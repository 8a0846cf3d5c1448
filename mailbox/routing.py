"""Where messages go: to a function that stands in for one that is closed or unknown, and inside this node.

Nothing is lost for want of a mailbox: what is for a closed function goes to its successor; what nobody serves
goes to the organisation's catch-all mailbox, where one is chosen; what is left is refused with a receipt.
"""

from django.db import transaction

from addressbook import register
from transport.message_service.models import Organisation

from . import access_log
from .models import FunctionMailbox, Person


class CatchAllUnfit(Exception):
    """A catch-all is an open mailbox of the organisation's own."""


def stand_ins(participant_id: str, function_address: str) -> list[str]:
    """The functions that are to take what is for a function that nobody serves, the first choice first."""
    found = register.successors_of(participant_id, function_address)
    chosen = catch_all_of(participant_id)
    if chosen is not None:
        found.append(chosen.address)
    return found


def catch_all_of(participant_id: str) -> FunctionMailbox | None:
    """The organisation's catch-all mailbox."""
    return FunctionMailbox.objects.filter(participant_id=participant_id, is_catch_all=True).first()


def set_catch_all(actor: Person | None, participant_id: str, mailbox: FunctionMailbox | None) -> None:
    """Let a mailbox take what nobody serves; None lets it be refused. Raises `CatchAllUnfit`."""
    if mailbox is not None and (mailbox.participant_id != participant_id or not mailbox.is_open):
        raise CatchAllUnfit
    with transaction.atomic():
        boxes = FunctionMailbox.objects.select_for_update().filter(participant_id=participant_id)
        before = boxes.filter(is_catch_all=True).first()
        if before == mailbox:
            return
        boxes.filter(is_catch_all=True).update(is_catch_all=False)
        if mailbox is None:
            access_log.note(actor, "catch-all-removed", participant_id, mailbox=before)
        else:
            boxes.filter(pk=mailbox.pk).update(is_catch_all=True)
            access_log.note(actor, "catch-all-set", participant_id, mailbox=mailbox)


def set_out_and_back(actor: Person | None, organisation: Organisation, *, goes_out_and_back: bool) -> None:
    """Say whether messages between this organisation and others of the node go out and back."""
    with transaction.atomic():
        row = Organisation.objects.select_for_update().get(pk=organisation.pk)
        if row.goes_out_and_back == goes_out_and_back:
            return
        row.goes_out_and_back = goes_out_and_back
        row.save(update_fields=["goes_out_and_back"])
        way = "out-and-back" if goes_out_and_back else "inside"
        access_log.note(actor, "routing-changed", row.participant_id, way=way)
