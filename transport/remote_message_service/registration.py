"""Registering another message service, and which functions use it.

A service is used from when it is turned on. Whoever has changed where messages go cannot turn it on by
themselves in the pages (`changed_by`): messages go out in the clear to whoever has its address.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from cryptography import x509
from django.db import IntegrityError, transaction
from django.utils import timezone
from joserfc.jwk import ECKey

from transport.message_service.models import Organisation
from transport.outgoing_http import AddressRefused, check_url
from transport.queues import wake_queue

from . import polling
from .client import RemoteClient
from .models import RemoteArrival, RemoteFunction, RemoteOrder, RemoteService
from .problems import CursorInvalid, NotThere, RemoteProblem

_LONGEST_ADDRESS: Final = 500


class NotRegistered(Exception):
    """What was given is refused; `reason` is a code."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class OwnChange(Exception):
    """Who changed where messages go cannot turn the service on; another person has to."""


@dataclass(frozen=True, slots=True)
class Tried:
    """A step of a trial: what was tried, and what was wrong (empty where nothing)."""

    step: str
    problem: str


@dataclass(frozen=True, slots=True)
class Queue:
    """What is under way with a service."""

    waiting_out: int
    followed: int
    waiting_in: int
    set_aside: int


def register(
    organisation: Organisation,
    name: str,
    *,
    address: str,
    token_address: str,
    client_id: str,
    authorities: str = "",
    by: str = "",
) -> RemoteService:
    """Register a service, turned off, with a key of its own. Raises `NotRegistered`."""
    _check(address, token_address, authorities)
    key = ECKey.generate_key("P-256", auto_kid=True)
    service = RemoteService(
        organisation=organisation,
        name=name,
        address=address.rstrip("/"),
        token_address=token_address,
        client_id=client_id,
        authorities=authorities,
        changed_by=by,
        **_key_fields(key),
    )
    service.save(force_insert=True)
    return service


def change_addresses(
    service: RemoteService,
    *,
    address: str,
    token_address: str,
    client_id: str,
    authorities: str,
    by: str = "",
) -> None:
    """Change where the service is, and turn it off until it is turned on again. Raises `NotRegistered`."""
    _check(address, token_address, authorities)
    with transaction.atomic():
        row = _locked(service)
        row.address, row.token_address = address.rstrip("/"), token_address
        row.client_id, row.authorities = client_id, authorities
        row.access_token, row.token_until, row.cursor = "", None, {}
        _turn_off(row, by)
        row.save()


def renew_key(service: RemoteService) -> None:
    """Make a new key; the service does not know us by it before its administrators have registered it."""
    with transaction.atomic():
        row = _locked(service)
        for name, value in _key_fields(ECKey.generate_key("P-256", auto_kid=True)).items():
            setattr(row, name, value)
        row.access_token, row.token_until = "", None
        row.save()


def bind(service: RemoteService, functions: Iterable[str], *, has_all: bool = False, by: str = "") -> None:
    """Set which functions use the service: these, or all of the organisation's. Turns it off if that changes.

    Raises `NotRegistered` where another service has one of them.
    """
    wanted = sorted({function.strip() for function in functions if function.strip()})
    try:
        with transaction.atomic():
            row = _locked(service)
            before = set(row.functions.values_list("function_address", flat=True))
            if before == set(wanted) and row.has_all_functions == has_all:
                return
            row.functions.exclude(function_address__in=wanted).delete()
            RemoteFunction.objects.bulk_create(
                RemoteFunction(organisation_id=row.organisation_id, function_address=function, service=row)
                for function in wanted
                if function not in before
            )
            row.has_all_functions, row.cursor = has_all, {}
            _turn_off(row, by)
            row.save()
    except IntegrityError:
        raise NotRegistered("function-taken") from None


def turn_on(service: RemoteService, *, by: str = "") -> None:
    """Use the service from now on. `by` is empty for the operator. Raises `OwnChange`."""
    with transaction.atomic():
        row = _locked(service)
        if by and row.changed_by == by:
            raise OwnChange
        row.is_active, row.due_at = True, timezone.now()
        row.in_use_since = row.in_use_since or timezone.now()
        row.failures, row.paused_until = 0, None
        row.save()
        for model in (RemoteArrival, RemoteOrder):
            # They are tried at once, and not when they would have been.
            model.objects.filter(service=row, due_at__isnull=False, lease__isnull=True).update(
                due_at=timezone.now()
            )
        wake_queue(polling.POLL)


def turn_off(service: RemoteService) -> None:
    """Neither fetch nor hand over until it is turned on again: what its functions send waits."""
    with transaction.atomic():
        row = _locked(service)
        row.is_active = False
        row.save()


def remove(service: RemoteService) -> None:
    """Remove a service that has never carried a message. Raises `NotRegistered`."""
    with transaction.atomic():
        row = _locked(service)
        if row.orders.exists() or row.arrivals.exists():
            raise NotRegistered("has-messages")
        row.delete()


def try_out(service: RemoteService) -> list[Tried]:
    """Ask for a token, and for a list of messages; nothing is fetched or changed."""
    steps = []
    with RemoteClient(service) as client:
        for step, question in (
            ("token", client.renew_token),
            ("list", lambda: client.page(client.first_page({"messageStatus": "NEW"}))),
        ):
            problem = ""
            try:
                question()
            except RemoteProblem as error:
                problem = error.code
            except NotThere:
                problem = "address-wrong"
            except CursorInvalid:
                problem = "list-refused"
            steps.append(Tried(step, problem))
            if problem:
                break
    return steps


def queue_of(service: RemoteService) -> Queue:
    """How much is under way with the service."""
    orders, arrivals = service.orders, service.arrivals
    return Queue(
        orders.filter(state=RemoteOrder.State.WAITING).count(),
        orders.filter(state=RemoteOrder.State.FOLLOWED).count(),
        arrivals.filter(state=RemoteArrival.State.FOUND).count(),
        arrivals.filter(state=RemoteArrival.State.SET_ASIDE).count(),
    )


def service_by_key(key: UUID) -> RemoteService | None:
    """The service, if there is one by that key."""
    return RemoteService.objects.select_related("organisation").filter(pk=key).first()


def _locked(service: RemoteService) -> RemoteService:
    rows = RemoteService.objects.select_for_update(of=("self",)).select_related("organisation")
    return rows.get(pk=service.pk)


def _turn_off(row: RemoteService, by: str) -> None:
    row.changed_by = by
    row.is_active = False


def _key_fields(key: ECKey) -> dict[str, Any]:
    return {
        "key_id": key.kid,
        "public_key": {**key.as_dict(private=False), "kid": key.kid},
        "private_key": key.as_pem(private=True).decode(),
    }


def _check(address: str, token_address: str, authorities: str) -> None:
    for url in (address, token_address):
        if len(url) > _LONGEST_ADDRESS:
            raise NotRegistered("address")
        try:
            check_url(url)
        except AddressRefused:
            raise NotRegistered("address") from None
    if authorities.strip():
        try:
            x509.load_pem_x509_certificates(authorities.encode())
        except ValueError:
            raise NotRegistered("authorities") from None
