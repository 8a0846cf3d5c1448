"""Administering the organisation's external message clients; every change is in the access log.

One administrator proposes what a client may do, and another confirms it (`mailbox.access`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import transaction

from addressbook.models import OwnFunction
from mailbox import access, access_log
from mailbox.models import FunctionMailbox, Person, Redirection
from transport.message_api.api import (
    ApiClient,
    FunctionRoute,
    Proposal,
    function_patterns,
    proposals,
    registration,
    routing,
)
from transport.message_service.api import Organisation

from . import four_eyes
from . import routing as administration_routing


class NameTaken(Exception):
    """A client of this or another organisation of the node has the name already."""


def register(actor: Person, organisation: Organisation, client_id: str, name: str) -> ApiClient:
    """Add a client, which has no functions, scopes or keys yet. Raises `NameTaken`."""
    with transaction.atomic():
        # Locked, so that of two registrations of the same name the second one fails.
        list(Organisation.objects.select_for_update(no_key=True).order_by("pk").values_list("pk"))
        if ApiClient.objects.filter(client_id=client_id).exists():
            raise NameTaken
        client = registration.register(organisation, client_id, name=name, scopes=[]).client
        access_log.record(actor, "client-registered", organisation.participant_id, client=client_id)
    return client


def rename(actor: Person, client: ApiClient, name: str) -> None:
    """Change the name that pages show."""
    if name != client.name:
        with transaction.atomic():
            registration.register(client.organisation, client.client_id, name=name)
            _record(actor, "client-changed", client, name=name)


def propose_keys(actor: Person, client: ApiClient, keys: list[dict[str, Any]], *, replace: bool) -> None:
    """Propose public keys, besides those that the client has or in their place."""
    with transaction.atomic():
        proposals.propose_keys(client, keys, replace=replace, by=str(actor.pk), by_name=actor.name)
        _record(actor, "client-proposed", client, keys=[key["kid"] for key in keys], replace=replace)


def propose_access(actor: Person, client: ApiClient, auth_ids: Sequence[str], scopes: Sequence[str]) -> None:
    """Propose the functions and scopes of the client, if they differ from the present ones."""
    if (list(auth_ids), list(scopes)) == (client.auth_ids, client.scopes):
        return
    with transaction.atomic():
        proposals.propose_access(
            client, auth_ids=auth_ids, scopes=scopes, by=str(actor.pk), by_name=actor.name
        )
        _record(actor, "client-proposed", client, functions=list(auth_ids), scopes=list(scopes))


def confirm(actor: Person, client: ApiClient, seal: str) -> None:
    """Confirm another administrator's proposal. Raises `proposals.OwnProposal`, `proposals.Changed`."""
    with transaction.atomic():
        confirmed = proposals.confirm(client, seal, by=str(actor.pk))
        _record(actor, "client-confirmed", client, **_details(confirmed))


def withdraw(actor: Person, client: ApiClient, seal: str) -> None:
    """Withdraw a proposal. Raises `proposals.Changed`."""
    with transaction.atomic():
        withdrawn = proposals.withdraw(client, seal)
        _record(actor, "client-withdrawn", client, **_details(withdrawn))


def revoke_key(actor: Person, client: ApiClient, kid: str) -> None:
    """Revoke a key, at once. Raises `registration.NotRegistered`."""
    with transaction.atomic():
        registration.revoke_key(client, kid)
        _record(actor, "client-key-removed", client, keys=[kid])


def set_active(actor: Person, client: ApiClient, *, is_active: bool) -> None:
    """Disable the client at once, or enable it again with what has been confirmed."""
    with transaction.atomic():
        registration.set_active(client, is_active=is_active)
        _record(actor, "client-enabled" if is_active else "client-disabled", client)


def set_webhook(actor: Person, client: ApiClient, address: str) -> str:
    """Set the client's web hook; returns its new secret. Raises `registration.NotRegistered`."""
    with transaction.atomic():
        registered = registration.register(client.organisation, client.client_id, webhook_url=address)
        _record(actor, "client-webhook-set", client, address=address)
    return registered.webhook_secret


def set_route(
    actor: Person,
    organisation: Organisation,
    address: str,
    to: FunctionRoute.To,
    *,
    second: Person | None = None,
) -> bool:
    """Assign a function to message clients from now on.

    Returns False if that waits for a second administrator, since the actor would see messages that only
    another client has seen until now."""
    participant = organisation.participant_id
    with transaction.atomic():
        Organisation.objects.select_for_update().get(pk=organisation.pk)
        before = routing.route_of(participant, address)
        if before != to:
            receiving = administration_routing.receiving_mailbox_of(participant, address)
            gains, loses = not routing.is_built_in(before), not routing.is_built_in(to)
            if (gains or loses) and not four_eyes.apply_or_propose(
                actor,
                Redirection.Kind.ROUTE,
                participant,
                mailbox=receiving if loses else None,
                target=receiving if gains else None,
                value={"function": address, "to": to.value},
                second=second,
            ):
                return False
            routing.set_route(organisation, address, to)
            access_log.record(actor, "function-routed", participant, function=address, to=to.value)
    return True


@dataclass(frozen=True, slots=True)
class Routed:
    """A function that is routed to external clients; `fetched_by` are those that may fetch its messages."""

    route: FunctionRoute
    name: str
    fetched_by: list[ApiClient]
    has_mailbox: bool

    @property
    def is_known(self) -> bool:
        return bool(self.name)

    @property
    def lacks_mailbox(self) -> bool:
        """Whether it is routed to the built-in client too, but has no mailbox."""
        return self.route.to == FunctionRoute.To.BOTH and not self.has_mailbox


def routed_functions(person: access.Viewer) -> list[Routed]:
    """The functions of the person's organisations that are routed to external clients."""
    names, with_mailbox = functions_of(person)
    clients = list(access.api_clients_of(person).filter(is_active=True))
    found = []
    for route in access.function_routes_of(person).exclude(to=FunctionRoute.To.BUILT_IN):
        key = (route.organisation.participant_id, route.function_address)
        fetched_by = [
            client
            for client in clients
            if client.organisation_id == route.organisation_id
            and function_patterns.matches(client.auth_ids, route.function_address)
        ]
        found.append(Routed(route, names.get(key, ""), fetched_by, key in with_mailbox))
    return found


def functions_of(person: access.Viewer) -> tuple[dict[tuple[str, str], str], set[tuple[str, str]]]:
    """The names of the functions of the person's organisations by participant and address; and those of them
    with an open mailbox."""
    own = access.administered_by(person)
    registered = OwnFunction.objects.filter(participant_id__in=own, closed_at=None)
    names = {(function.participant_id, function.identifier): function.name for function in registered}
    boxes = {
        (box.participant_id, box.address): box.name
        for box in FunctionMailbox.objects.filter(participant_id__in=own, is_open=True)
    }
    return names | boxes, set(boxes)


def _details(proposal: Proposal) -> dict[str, Any]:
    value = proposal.value
    if proposal.kind == "keys":
        return {"keys": [key["kid"] for key in value["keys"]], "replace": value["replace"]}
    return {"functions": value["auth_ids"], "scopes": value["scopes"]}


def _record(actor: Person, what: str, client: ApiClient, **details: Any) -> None:
    participant = client.organisation.participant_id
    access_log.record(actor, what, participant, client=client.client_id, **details)
