"""The API through which case systems fetch packages and answer (docs/connectors.md).

A case system shows its token, and sees the deliveries whose packages are made and that it has not answered.
What is not among them does not exist for it.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any, Final
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet
from django.http import FileResponse, HttpRequest, JsonResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST, require_safe

from mailbox import access_log
from mailbox.attachments.downloads import guarded
from mailbox.case_systems import deliveries, directory, packages, receipts, systems
from mailbox.case_systems.deliveries import Outcome
from mailbox.models import CaseDelivery, CaseSystem

_MOST_LISTED: Final = 100
_STATUS: Final = {Outcome.UNKNOWN: 404, Outcome.CONTRADICTS: 409, Outcome.WITHDRAWN: 410}
View = Callable[..., HttpResponseBase]


def _for_case_systems(view: View) -> View:
    """The view gets the case system whose token is shown; without one the answer is 401."""

    @csrf_exempt
    @wraps(view)
    def checked(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        scheme, _space, token = request.headers.get("Authorization", "").partition(" ")
        system = systems.with_token(token.strip()) if scheme.lower() == "bearer" else None
        if system is None:
            response = JsonResponse({"error": "token"}, status=401)
            response["WWW-Authenticate"] = "Bearer"
            return response
        answer = view(request, system, *args, **kwargs)
        answer["Cache-Control"] = "no-store"
        return answer

    return checked


@_for_case_systems
@require_safe
def waiting(request: HttpRequest, system: CaseSystem) -> HttpResponseBase:
    """The ids of what can be fetched, the longest waiting first."""
    rows = _open(system).order_by("ordered_at", "pk")[:_MOST_LISTED]
    return JsonResponse({"deliveries": [str(key) for key in rows.values_list("pk", flat=True)]})


@_for_case_systems
@require_safe
def description(request: HttpRequest, system: CaseSystem, delivery_id: UUID) -> HttpResponseBase:
    """What a package holds, how large it is and its digest."""
    row = get_object_or_404(_open(system), pk=delivery_id)
    return JsonResponse(directory.described(packages.package_of(row)))


@_for_case_systems
@require_safe
def package(request: HttpRequest, system: CaseSystem, delivery_id: UUID) -> HttpResponseBase:
    """The package itself. That it was fetched is logged before its first byte is sent."""
    row = get_object_or_404(_open(system), pk=delivery_id)
    conversation = row.conversation
    with transaction.atomic():
        access_log.record(
            None,
            "case-delivery-fetched",
            system.participant_id,
            mailbox=conversation.mailbox,
            conversation=conversation,
            delivery=str(row.pk),
            case_system=str(system.key),
        )
    response = FileResponse(packages.package_of(row).open())
    response["Content-Length"] = str(row.package_size)
    return guarded(response, "application/zip", saved_as=f"{row.pk}.zip")


@_for_case_systems
@require_POST
def receipt(request: HttpRequest, system: CaseSystem, delivery_id: UUID) -> HttpResponseBase:
    """Acknowledge or refuse a delivery; the same receipt again is answered alike."""
    try:
        given = receipts.read(request.read(receipts.MOST_BYTES + 1))
    except receipts.ReceiptInvalid as error:
        return JsonResponse({"error": error.reason}, status=400)
    if given.delivery_id != delivery_id:
        return JsonResponse({"error": "delivery-id"}, status=400)
    outcome = deliveries.settle(system, given)
    status = _STATUS.get(outcome, 200)
    return JsonResponse({"error": outcome.value} if status != 200 else {"status": "noted"}, status=status)


def _open(system: CaseSystem) -> QuerySet[CaseDelivery]:
    """What has been offered to the case system, also where it has not answered the web hook yet."""
    rows = system.deliveries.filter(state__in=CaseDelivery.OPEN_STATES, answered_at=None)
    rows = rows.exclude(package_name="").exclude(cause=CaseDelivery.Cause.NOT_ALLOWED)
    return rows.select_related("case_system", "conversation__mailbox")
