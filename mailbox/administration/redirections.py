"""Changes of where messages go that wait for a second administrator, who confirms or withdraws them."""

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from addressbook.models import OwnFunction
from mailbox import access_log
from mailbox.access import Viewer, administered_by
from mailbox.models import ArrivalRule, FunctionMailbox, Person, Redirection
from transport.message_api.api import FunctionRoute
from transport.message_service.api import Organisation

from . import clients, mailboxes, routing
from . import functions as administration_functions


class OwnProposal(Exception):
    """The person has proposed the change, and so cannot confirm it."""


class Settled(Exception):
    """The change has been confirmed or withdrawn, or cannot be made any more."""


def proposed_to(person: Viewer) -> QuerySet[Redirection]:
    """Changes that wait in the organisations that the person administers."""
    rows = Redirection.objects.filter(participant_id__in=administered_by(person), settled_at=None)
    return rows.select_related("mailbox", "target", "by").order_by("pk")


def confirm(actor: Person, redirection_id: int) -> None:
    """Confirm and make the change. Raises `OwnProposal`, `Settled`."""
    with transaction.atomic():
        row = _locked(redirection_id)
        if row.by_id == actor.pk:
            raise OwnProposal
        _make(row, actor)
        row.confirmed_by, row.settled_at, row.is_made = actor, timezone.now(), True
        row.save(update_fields=["confirmed_by", "settled_at", "is_made"])
        _record(actor, "redirection-confirmed", row)


def withdraw(actor: Person, redirection_id: int) -> None:
    """Withdraw the change. Raises `Settled`."""
    with transaction.atomic():
        row = _locked(redirection_id)
        row.settled_at = timezone.now()
        row.save(update_fields=["settled_at"])
        _record(actor, "redirection-withdrawn", row)


def _locked(redirection_id: int) -> Redirection:
    rows = Redirection.objects.select_for_update(of=("self",)).filter(settled_at=None)
    row = rows.filter(pk=redirection_id).select_related("by", "mailbox", "target").first()
    if row is None:
        raise Settled
    return row


def _make(row: Redirection, second: Person) -> None:
    """Make the change on behalf of the person who proposed it."""
    kind, value = Redirection.Kind(row.kind), row.value
    try:
        if kind == Redirection.Kind.CLOSE_FUNCTION:
            functions = OwnFunction.objects.filter(participant_id=row.participant_id)
            function = functions.filter(closed_at=None).get(pk=value["function"])
            successor = functions.get(pk=value["successor"]) if value["successor"] else None
            administration_functions.close(row.by, function, successor, second=second)
        elif kind == Redirection.Kind.CATCH_ALL:
            mailbox = FunctionMailbox.objects.get(pk=value["mailbox"])
            routing.set_catch_all(row.by, row.participant_id, mailbox, second=second)
        elif kind == Redirection.Kind.ROUTE:
            organisation = Organisation.objects.get(participant_id=row.participant_id)
            to = FunctionRoute.To(value["to"])
            clients.set_route(row.by, organisation, value["function"], to, second=second)
        elif kind == Redirection.Kind.ARRIVAL_RULE:
            # As it was when it was proposed: one that has been changed since asks anew.
            rules = ArrivalRule.objects.filter(pk=value["rule"], revision=value["revision"])
            if not rules.filter(mailbox=row.mailbox).update(is_move_confirmed=True):
                raise Settled
        else:
            mailbox = FunctionMailbox.objects.get(pk=value["mailbox"])
            is_open = kind == Redirection.Kind.OPEN_MAILBOX
            mailboxes.set_open(row.by, mailbox, is_open=is_open, second=second)
    except (
        OwnFunction.DoesNotExist,
        FunctionMailbox.DoesNotExist,
        administration_functions.SuccessorUnfit,
        routing.CatchAllUnfit,
    ):
        raise Settled from None


def _record(actor: Person, what: str, row: Redirection) -> None:
    box = row.mailbox or row.target
    access_log.record(actor, what, row.participant_id, mailbox=box, person=row.by, kind=row.kind)
