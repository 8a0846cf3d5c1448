"""What administrators do about other message services; every act is in the access log.

Messages go out in the clear to whoever has the address that is set here. So whoever has changed it, or the
functions, cannot turn the service on: another administrator does.
"""

from collections.abc import Sequence
from typing import Any

from django.db import transaction

from mailbox import access_log
from mailbox.models import Person
from transport.message_service.api import Organisation
from transport.remote_message_service.api import RemoteArrival, RemoteService, Tried, arrivals, registration


def register(
    actor: Person,
    organisation: Organisation,
    *,
    name: str,
    address: str,
    token_address: str,
    client_id: str,
    authorities: str,
) -> RemoteService:
    """Register a service, turned off. Raises `registration.NotRegistered`."""
    with transaction.atomic():
        service = registration.register(
            organisation,
            name,
            address=address,
            token_address=token_address,
            client_id=client_id,
            authorities=authorities,
            by=str(actor.pk),
        )
        _record(actor, "remote-service-registered", service, address=address)
    return service


def change(
    actor: Person,
    service: RemoteService,
    *,
    address: str,
    token_address: str,
    client_id: str,
    authorities: str,
) -> bool:
    """Change where the service is; False where nothing was changed. Raises `registration.NotRegistered`."""
    before = (service.address, service.token_address, service.client_id, service.authorities)
    if before == (address.rstrip("/"), token_address, client_id, authorities):
        return False
    with transaction.atomic():
        registration.change_addresses(
            service,
            address=address,
            token_address=token_address,
            client_id=client_id,
            authorities=authorities,
            by=str(actor.pk),
        )
        _record(actor, "remote-service-changed", service, address=address)
    return True


def set_functions(actor: Person, service: RemoteService, functions: Sequence[str], *, has_all: bool) -> None:
    """Set which functions use the service. Raises `registration.NotRegistered`."""
    with transaction.atomic():
        registration.bind(service, functions, has_all=has_all, by=str(actor.pk))
        _record(actor, "remote-service-functions", service, functions=list(functions), all=has_all)


def renew_key(actor: Person, service: RemoteService) -> None:
    """Make a new key for the service."""
    with transaction.atomic():
        registration.renew_key(service)
        _record(actor, "remote-service-key", service)


def turn_on(actor: Person, service: RemoteService) -> None:
    """Use the service from now on. Raises `registration.OwnChange`."""
    with transaction.atomic():
        registration.turn_on(service, by=str(actor.pk))
        _record(actor, "remote-service-on", service)


def turn_off(actor: Person, service: RemoteService) -> None:
    """Have its functions' messages wait."""
    with transaction.atomic():
        registration.turn_off(service)
        _record(actor, "remote-service-off", service)


def try_out(service: RemoteService) -> list[Tried]:
    """Ask the service for a token and a list; nothing is fetched."""
    return registration.try_out(service)


def try_again(actor: Person, arrival: RemoteArrival) -> bool:
    """Have a message that was set aside fetched once more; False where that is under way already."""
    with transaction.atomic():
        is_tried = arrivals.try_again(arrival.pk)
        _record(actor, "remote-service-retry", arrival.service, message_id=str(arrival.message_id))
    return is_tried


def _record(actor: Person, what: str, service: RemoteService, **details: Any) -> None:
    access_log.record(actor, what, service.organisation.participant_id, service=service.name, **details)
