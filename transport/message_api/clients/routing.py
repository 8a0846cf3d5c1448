"""Which message clients a function address belongs to."""

from collections.abc import Collection

from transport.message_api.models import FunctionRoute, HeldMessage
from transport.message_service.client_port import MessageKey
from transport.message_service.models import Organisation

_TO_EXTERNAL = (FunctionRoute.To.EXTERNAL, FunctionRoute.To.BOTH)


def route_of(participant: str, function_address: str) -> FunctionRoute.To:
    """The client that the function is routed to; the built-in one where no route is set."""
    route = FunctionRoute.objects.filter(
        organisation__participant_id=participant, function_address=function_address
    ).first()
    return FunctionRoute.To(route.to) if route is not None else FunctionRoute.To.BUILT_IN


def is_external(to: FunctionRoute.To) -> bool:
    return to in _TO_EXTERNAL


def is_built_in(to: FunctionRoute.To) -> bool:
    return to != FunctionRoute.To.EXTERNAL


def set_route(organisation: Organisation, function_address: str, to: FunctionRoute.To) -> None:
    """Route a function to a client from now on. Messages that arrived before stay where they are."""
    FunctionRoute.objects.update_or_create(
        organisation=organisation, function_address=function_address, defaults={"to": to}
    )


def held_among(messages: Collection[MessageKey], *, was_sent: bool) -> list[HeldMessage]:
    """Those of the messages, sent or arrived, that are held."""
    rows = HeldMessage.objects.filter(
        organisation__participant_id__in={message.participant for message in messages},
        message_id__in=[message.message_id for message in messages],
        outgoing__isnull=not was_sent,
    )
    keys = set(messages)
    return [
        row
        for row in rows.select_related("organisation").order_by("pk")
        if MessageKey(row.organisation.participant_id, row.message_id) in keys
    ]
