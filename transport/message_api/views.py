"""The four operations of B1.4.2, the token endpoint, and what there is to read about them."""

from collections.abc import AsyncIterator, Iterator
from http import HTTPStatus
from typing import Any, ClassVar, Final
from uuid import UUID

from asgiref.sync import sync_to_async
from django.conf import settings
from django.core.handlers.asgi import ASGIRequest
from django.db import transaction
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST, require_safe
from rest_framework import authentication, exceptions, permissions
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.views import APIView

from transport.message_api.clients.scopes import Scope
from transport.message_api.clients.tokens import Caller
from transport.message_service.tracking.erasure import StillInProgress
from transport.storage.work_files import workspace

from ..database import release_connection
from ..rate_limits import limited
from . import (
    filters,
    held_messages,
    json_body,
    new_messages,
    openapi_document,
    problems,
    representation,
    serializers,
)
from .clients import function_patterns, token_endpoint, tokens
from .models import HeldMessage
from .problems import BadRequest, Issue

_PIECES_AT_A_TIME: Final = 16
# Beside what a message may be: JSON's structure and escapes.
_ROOM_BYTES: Final = 1024 * 1024


class BearerAuthentication(authentication.BaseAuthentication):
    """A client is known by its access token (RFC 6750)."""

    def authenticate(self, request: Request) -> tuple[Any, None]:
        kind, _, token = request.headers.get("Authorization", "").partition(" ")
        if kind.lower() != "bearer" or not token.strip():
            raise exceptions.NotAuthenticated
        try:
            return tokens.caller_of(token.strip()), None
        except tokens.TokenRefused:
            refused = exceptions.AuthenticationFailed()
            refused.auth_header = 'Bearer error="invalid_token"'
            raise refused from None
        except tokens.ServerAway:
            away = exceptions.APIException()
            away.status_code = HTTPStatus.SERVICE_UNAVAILABLE
            raise away from None

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


class HasScope(permissions.BasePermission):
    """The token has the scope of the operation."""

    def has_permission(self, request: Request, view: Any) -> bool:
        scope = view.scopes.get((request.method or "").lower())
        # What is no operation is told so, whoever asks.
        return scope is None or scope in _caller(request).scopes


class AlwaysJson(BaseContentNegotiation):
    """The contract has one media type."""

    def select_parser(self, request: Request, parsers: Any) -> Any:
        return None

    def select_renderer(self, request: Request, renderers: Any, format_suffix: str | None = None) -> Any:
        return renderers[0], "application/json"


class _Operations(APIView):
    """The common base of the operations. Bodies are read by `body`, never by a parser that holds them."""

    authentication_classes = [BearerAuthentication]
    permission_classes = [HasScope]
    content_negotiation_class = AlwaysJson
    renderer_classes = [JSONRenderer]
    parser_classes: ClassVar[list[Any]] = []
    scopes: ClassVar[dict[str, Scope]] = {}
    schema = openapi_document.Schema()

    def get_exception_handler(self) -> Any:
        return problems.handled


class Messages(_Operations):
    """`/sdk/messages`: send, and get by filter."""

    http_method_names = ["get", "post"]
    scopes: ClassVar = {"get": Scope.GET_BY_FILTER, "post": Scope.SEND}

    @openapi_document.described(openapi_document.GET_BY_FILTER)
    def get(self, request: Request) -> HttpResponseBase:
        """Messages that the client may see, the oldest first, without `digitalDocument`."""
        asked = filters.read(request.query_params)
        rows = representation.with_status(_visible(_caller(request)))
        rows = rows.filter(asked.condition, asked.after).order_by("held_at", "pk")
        found = list(rows.prefetch_related("outgoing__events", "incoming__events")[: asked.size + 1])
        links = {"self": filters.link(request.path, request.query_params)}
        if len(found) > asked.size:
            found.pop()
            links["next"] = filters.link(request.path, request.query_params, found[-1])
        return _streamed(request, representation.list_in_pieces(iter(found), links))

    @openapi_document.described(openapi_document.SEND)
    def post(self, request: Request) -> HttpResponse:
        """Order a message to be sent. It is validated at once; what becomes of it is its status."""
        caller = _caller(request)
        with workspace("api") as directory:
            value = _body(request, directory)
            shape = serializers.NewMessage(data=value)
            shape.is_valid(raise_exception=True)
            data = shape.validated_data["data"]
            message = new_messages.message_of(data["attributes"], caller, directory)
            row = held_messages.send(caller, message, new_messages.resource_id_of(data))
        return HttpResponse(status=HTTPStatus.CREATED, headers={"Location": _address(row)})


class Message(_Operations):
    """`/sdk/messages/{messageId}`: get by id, and delete."""

    http_method_names = ["get", "delete"]
    scopes: ClassVar = {"get": Scope.GET, "delete": Scope.DELETE}

    @openapi_document.described(openapi_document.GET)
    def get(self, request: Request, message_id: str) -> HttpResponseBase:
        """A whole message."""
        asked = filters.read(request.query_params)
        rows = representation.with_status(_visible(_caller(request))).filter(asked.condition)
        row = _by_id(rows, message_id)
        return _streamed(request, representation.message_in_pieces(row, _address(row), asked.without))

    @openapi_document.described(openapi_document.DELETE)
    def delete(self, request: Request, message_id: str) -> HttpResponse:
        """Delete a message whose status is final."""
        with transaction.atomic():
            row = _by_id(_visible(_caller(request)), message_id)
            locked = representation.with_status(HeldMessage.objects.filter(pk=row.pk))
            now: Any = locked.select_for_update(of=("self",)).first()
            if now is None:
                raise Http404
            if now.status not in representation.FINAL:
                raise BadRequest(Issue("The status is not final", "messageStatus", now.status))
            try:
                held_messages.delete(now)
            except StillInProgress:
                raise BadRequest(Issue("The message is still being worked on", "messageStatus")) from None
        return HttpResponse(status=HTTPStatus.ACCEPTED)


@csrf_exempt
@never_cache
@require_POST
@limited("token", refusal=lambda _: JsonResponse({"error": "temporarily_unavailable"}, status=429))
def token(request: HttpRequest) -> HttpResponse:
    """An access token for a client's signed assertion; not here, where an outside server issues them."""
    if settings.SDK_API_ISSUER:
        raise Http404
    return token_endpoint.token_response(request)


@require_safe
def openapi(request: HttpRequest) -> HttpResponse:
    """This service's own OpenAPI document."""
    return JsonResponse(openapi_document.openapi(request), json_dumps_params={"ensure_ascii": False})


@require_safe
def reading(request: HttpRequest) -> HttpResponse:
    """The same as a page."""
    return render(request, "message_api/document.html", openapi_document.page(request))


def _caller(request: Request) -> Caller:
    caller: Any = request.user
    return caller if isinstance(caller, Caller) else _nobody()


def _nobody() -> Caller:
    raise exceptions.NotAuthenticated


def _visible(caller: Caller) -> QuerySet[HeldMessage]:
    """The messages that a client may see: its organisation's, of functions that token and registration
    allow."""
    return HeldMessage.objects.filter(
        function_patterns.matching("own_function", caller.auth_ids),
        function_patterns.matching("own_function", caller.client.auth_ids),
        organisation=caller.client.organisation,
    )


def _by_id(rows: QuerySet[HeldMessage], text: str) -> HeldMessage:
    """By the resource's id, else by the message's own."""
    try:
        identity = UUID(text)
    except ValueError:
        raise Http404 from None
    row = rows.filter(resource_id=identity).first() or rows.filter(message_id=identity).first()
    if row is None:
        raise Http404
    return row


def _address(row: HeldMessage) -> str:
    return reverse("message-api-message", kwargs={"message_id": str(row.resource_id)})


def _body(request: Request, directory: Any) -> Any:
    limit = settings.SDK_MAX_MESSAGE_BYTES + settings.SDK_MAX_MESSAGE_BYTES // 10 + _ROOM_BYTES
    if request.headers.get("Content-Type", "").partition(";")[0].strip().lower() != "application/json":
        raise BadRequest(Issue("The content type is not application/json", "Content-Type"))
    try:
        return json_body.read_json(request._request, directory, max_bytes=limit)
    except json_body.BodyTooLarge as refused:
        raise BadRequest(Issue(refused.why, "/"), title="Payload Too Large") from None
    except json_body.BodyRefused as refused:
        raise BadRequest(Issue(refused.why, "/")) from None


def _streamed(request: Request, pieces: Iterator[bytes]) -> StreamingHttpResponse:
    """JSON that is sent as it is made; nobody on the way keeps it."""
    is_asynchronous = isinstance(request._request, ASGIRequest)
    return StreamingHttpResponse(
        _asynchronously(pieces) if is_asynchronous else pieces,
        content_type="application/json",
        headers={"Cache-Control": "private, no-store"},
    )


async def _asynchronously(pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
    """Under ASGI, Django would gather all that a plain iterator gives before it sends any."""
    while some := await sync_to_async(_next)(pieces):
        yield some


def _next(pieces: Iterator[bytes]) -> bytes:
    some = b"".join(piece for _, piece in zip(range(_PIECES_AT_A_TIME), pieces, strict=False))
    # A client may read slowly: between pieces no connection to the database is held for it.
    release_connection()
    return some
