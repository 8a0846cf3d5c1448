"""How directory services are let in, and answered: every refusal in SCIM's form (RFC 7644 3.12)."""

import logging
from collections.abc import Callable, Mapping
from functools import wraps
from http import HTTPStatus
from typing import Any, Final

from django.conf import settings
from django.core.exceptions import RequestDataTooBig, SuspiciousOperation
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import reverse
from django.views.decorators.csrf import csrf_exempt

from transport.rate_limits import limited

from . import problems, tokens
from .problems import Refused
from .tokens import Caller

logger = logging.getLogger(__name__)
MEDIA_TYPE: Final = "application/scim+json"
METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE")
_View = Callable[..., HttpResponse]


def for_directory_services(kind: str, *methods: str) -> Callable[[_View], Any]:
    """A view that directory services call with their tokens, for these methods; `kind` is for the list of
    errors. It gets the caller beside the request."""

    def decorate(view: _View) -> Any:
        @csrf_exempt
        @limited("scim", refusal=_too_many, methods=METHODS)
        @wraps(view)
        def answered(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            participant_id = ""
            try:
                caller = _caller(request)
                participant_id = caller.participant_id
                if request.method not in methods:
                    raise Refused("The method is not allowed here.", status=HTTPStatus.METHOD_NOT_ALLOWED)
                response = view(request, caller, *args, **kwargs)
            except tokens.TokenRefused as error:
                refusal = Refused("The token is not valid.", status=HTTPStatus.UNAUTHORIZED)
                response = _refusal(request, error.participant_id, kind, refusal)
                response.headers["WWW-Authenticate"] = "Bearer"
            except Refused as error:
                response = _refusal(request, participant_id, kind, error)
                if error.status == HTTPStatus.METHOD_NOT_ALLOWED:
                    response.headers["Allow"] = ", ".join(methods)
            except SuspiciousOperation as error:
                is_long = isinstance(error, RequestDataTooBig)
                status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE if is_long else HTTPStatus.BAD_REQUEST
                refusal = Refused("The request is too large.", status=status)
                response = _refusal(request, participant_id, kind, refusal)
            response.headers["Cache-Control"] = "private, no-store"
            # Django would log the path, which may name somebody.
            vars(response)["_has_been_logged"] = True
            return response

        return answered

    return decorate


def service_address(request: HttpRequest) -> str:
    """The service's address, without a slash at its end."""
    path = reverse("scim").rstrip("/")
    return f"{settings.SDK_PUBLIC_URL}{path}" if settings.SDK_PUBLIC_URL else request.build_absolute_uri(path)


def as_response(
    body: dict[str, Any], status: HTTPStatus = HTTPStatus.OK, headers: Mapping[str, str] | None = None
) -> HttpResponse:
    return JsonResponse(
        body,
        status=status,
        content_type=MEDIA_TYPE,
        headers=headers,
        json_dumps_params={"ensure_ascii": False},
    )


def _caller(request: HttpRequest) -> Caller:
    scheme, _, secret = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        raise tokens.TokenRefused
    caller = tokens.caller_of(secret.strip())
    tokens.note_use(caller)
    return caller


def _refusal(request: HttpRequest, participant_id: str, kind: str, refused: Refused) -> HttpResponse:
    """The response to a refused request; it is counted where the organisation is known."""
    method = request.method if request.method in METHODS else "other"
    logger.info(
        "scim_refused",
        extra={"fields": {"request": f"{method} {kind}", "reason": refused.reason}},
    )
    if participant_id:
        tokens.note_failure(participant_id, f"{method} {kind}", refused)
    return as_response(problems.as_json(refused), refused.status)


def _too_many(request: HttpRequest) -> HttpResponse:
    refused = Refused("There are too many requests.", status=HTTPStatus.TOO_MANY_REQUESTS)
    return as_response(problems.as_json(refused), refused.status)
