"""Stand-ins for functions without a mailbox, and the way of messages between organisations of this node.

Messages for a closed function go to its successor. Messages for an unknown function go to the organisation's
catch-all mailbox, if there is one, or are rejected with a receipt.
"""

from django.db import transaction

from addressbook import register
from mailbox import access_log
from mailbox.models import FunctionMailbox, Person, Redirection
from transport.message_service.api import Organisation

from . import four_eyes


class CatchAllUnfit(Exception):
    """The mailbox is not an open one of the organisation, and so cannot be its catch-all."""


def stand_ins(participant_id: str, function_address: str) -> list[str]:
    """Addresses of the functions that stand in for one without a mailbox, the first choice first."""
    found = register.successors_of(participant_id, function_address)
    chosen = catch_all_of(participant_id)
    if chosen is not None:
        found.append(chosen.address)
    return found


def stand_in_of(
    participant_id: str, function_address: str, *, succeeded_by: str = ""
) -> FunctionMailbox | None:
    """The mailbox that stands in for a function without one; `succeeded_by` is its future successor."""
    chain = [succeeded_by, *register.successors_of(participant_id, succeeded_by)] if succeeded_by else []
    found = [*chain, *stand_ins(participant_id, function_address)]
    boxes = FunctionMailbox.objects.filter(participant_id=participant_id, address__in=found, is_open=True)
    by_address = {box.address: box for box in boxes.exclude(address=function_address)}
    return next((by_address[address] for address in found if address in by_address), None)


def receiving_mailbox_of(participant_id: str, function_address: str) -> FunctionMailbox | None:
    """The mailbox that receives the messages of a function now."""
    own = FunctionMailbox.objects.filter(
        participant_id=participant_id, address=function_address, is_open=True
    )
    return own.first() or stand_in_of(participant_id, function_address)


def catch_all_of(participant_id: str) -> FunctionMailbox | None:
    """The organisation's catch-all mailbox."""
    return FunctionMailbox.objects.filter(participant_id=participant_id, is_catch_all=True).first()


def set_catch_all(
    actor: Person | None,
    participant_id: str,
    mailbox: FunctionMailbox | None,
    *,
    second: Person | None = None,
) -> bool:
    """Set the catch-all mailbox; with None such messages are rejected. Raises `CatchAllUnfit`.

    Returns False if the change waits for a second administrator (`four_eyes`).
    """
    with transaction.atomic():
        boxes = FunctionMailbox.objects.select_for_update().filter(participant_id=participant_id)
        here = {box.pk: box for box in boxes.order_by("pk")}
        before = next((box for box in here.values() if box.is_catch_all), None)
        if mailbox is not None and (mailbox.pk not in here or not here[mailbox.pk].is_open):
            raise CatchAllUnfit
        if before == mailbox:
            return True
        if mailbox is not None and not four_eyes.apply_or_propose(
            actor,
            Redirection.Kind.CATCH_ALL,
            participant_id,
            mailbox=before,
            target=mailbox,
            value={"mailbox": mailbox.pk},
            second=second,
        ):
            return False
        boxes.filter(is_catch_all=True).update(is_catch_all=False)
        if mailbox is None:
            access_log.record(actor, "catch-all-removed", participant_id, mailbox=before)
        else:
            boxes.filter(pk=mailbox.pk).update(is_catch_all=True)
            access_log.record(actor, "catch-all-set", participant_id, mailbox=mailbox)
        return True


def set_out_and_back(actor: Person | None, organisation: Organisation, *, goes_out_and_back: bool) -> None:
    """Set whether messages between the organisation and others of this node go out and back by AS4."""
    with transaction.atomic():
        row = Organisation.objects.select_for_update().get(pk=organisation.pk)
        if row.goes_out_and_back == goes_out_and_back:
            return
        row.goes_out_and_back = goes_out_and_back
        row.save(update_fields=["goes_out_and_back"])
        way = "out-and-back" if goes_out_and_back else "inside"
        access_log.record(actor, "routing-changed", row.participant_id, way=way)
