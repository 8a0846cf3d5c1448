"""The API's own OpenAPI document, generated from the views and `serializers`, and as a page."""

from collections.abc import Callable
from typing import Any, Final

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema

from transport.message_api.clients.scopes import MEANING, Scope

from . import serializers

TITLE: Final = "SDK API for document type urn:riv:infrastructure:messaging:MessageWithAttachments:3"
_BAD: Final = OpenApiResponse(serializers.Events, description="What is wrong with the request")
_UNAUTHORIZED: Final = OpenApiResponse(
    serializers.Events, description="No token, one that does not hold, or one without the scope"
)
_MISSING: Final = OpenApiResponse(
    serializers.Events, description="There is no such message among those that the client may see"
)
_MESSAGE_ID: Final = OpenApiParameter(
    "message_id", str, OpenApiParameter.PATH, description="The message's `id`"
)


def _filter(name: str, text: str, values: list[str] | None = None) -> OpenApiParameter:
    return OpenApiParameter(name, str, OpenApiParameter.QUERY, description=text, enum=values)


_FILTERS: Final = [
    _filter("filter[messageStatus]", "messages with this status", serializers.STATUSES),
    _filter("filter[recipientAttention.subOrganization.extension]", "messages to this function"),
    _filter("filter[senderAttention.subOrganization.extension]", "messages from this function"),
    _filter("filter[creationDateTimeStart]", "created then or later; ISO 8601 in UTC"),
    _filter("filter[creationDateTimeStop]", "created then or earlier; ISO 8601 in UTC"),
]
_LEFT_OUT: Final = [
    _filter("filter[contentBodyText]", "false leaves out the texts", ["true", "false"]),
    _filter("filter[contentFiles]", "false leaves out the files", ["true", "false"]),
]
_PAGES: Final = [
    OpenApiParameter(
        "page[size]", int, OpenApiParameter.QUERY, description="at most so many; 1000 at the most"
    ),
    _filter("page[after]", "as it stands in `links.next`"),
]

SEND: Final[dict[str, Any]] = {
    "operation_id": "sendMessage",
    "summary": "Send a message",
    "request": {"application/json": serializers.NewMessage},
    "responses": {
        201: OpenApiResponse(description="Validated and ordered; `Location` is its address"),
        400: _BAD,
        401: _UNAUTHORIZED,
    },
}
GET_BY_FILTER: Final[dict[str, Any]] = {
    "operation_id": "getMessageByFilter",
    "summary": "Get messages by filter",
    "parameters": [*_FILTERS, *_PAGES],
    "responses": {200: serializers.Messages, 400: _BAD, 401: _UNAUTHORIZED},
}
GET: Final[dict[str, Any]] = {
    "operation_id": "getMessageById",
    "summary": "Get a message by its id",
    "parameters": [_MESSAGE_ID, *_FILTERS, *_LEFT_OUT],
    "responses": {200: serializers.OneMessage, 400: _BAD, 401: _UNAUTHORIZED, 404: _MISSING},
}
DELETE: Final[dict[str, Any]] = {
    "operation_id": "deleteMessageById",
    "summary": "Delete a message whose status is final",
    "parameters": [_MESSAGE_ID],
    "responses": {
        202: OpenApiResponse(description="It is deleted"),
        400: _BAD,
        401: _UNAUTHORIZED,
        404: _MISSING,
    },
}


def described(operation: dict[str, Any]) -> Callable[[Any], Any]:
    """Describes a view's method in the document."""

    def decorate(method: Any) -> Any:
        method.schema = Schema
        return extend_schema(**operation)(method)

    return decorate


class Schema(AutoSchema):
    """The operations' tag, and the scope that each needs."""

    def get_tags(self) -> list[str]:
        return ["Messages"]

    def get_auth(self) -> list[dict[str, Any]]:
        return [{"message_auth": [str(self.view.scopes[self.method.lower()])]}]


def openapi(request: HttpRequest) -> dict[str, Any]:
    """The document, with this service's own addresses."""
    version = serializers.VERSION.rpartition(" ")[2]
    generator = SchemaGenerator(urlconf="transport.message_api.urls", api_version=version)
    document: dict[str, Any] = generator.get_schema(request=None, public=True)
    root = settings.SDK_PUBLIC_URL or request.build_absolute_uri("/").rstrip("/")
    document["info"] = {
        "title": TITLE,
        "version": version,
        "description": "Message exchange between message clients and this message service (B1.4.2).",
    }
    document["servers"] = [{"url": root + reverse("message-api-reading").rstrip("/")}]
    document["paths"] = {_as_in_contract(path): item for path, item in document["paths"].items()}
    for parameter in document["paths"]["/sdk/messages/{messageId}"].values():
        for parsed in parameter["parameters"]:
            parsed["name"] = "messageId" if parsed["name"] == "message_id" else parsed["name"]
    document["components"]["securitySchemes"] = {
        "message_auth": {
            "type": "oauth2",
            "description": "Client credentials by private_key_jwt; tokens of at most 30 minutes.",
            "flows": {
                "clientCredentials": {
                    "tokenUrl": settings.SDK_API_ISSUER or root + reverse("message-api-token"),
                    "scopes": {str(scope): MEANING[scope] for scope in Scope},
                }
            },
        }
    }
    return document


def _as_in_contract(path: str) -> str:
    """A path below the server's address, with the contract's name for the id."""
    below = path.removeprefix(reverse("message-api-reading").rstrip("/"))
    return below.replace("{message_id}", "{messageId}")


def page(request: HttpRequest) -> dict[str, Any]:
    """The document as the page shows it: flat."""
    parsed = openapi(request)
    operations = [
        {
            "method": method.upper(),
            "path": path,
            "id": operation["operationId"],
            "summary": operation["summary"],
            "description": operation.get("description", ""),
            "scope": operation["security"][0]["message_auth"][0],
            "parameters": operation.get("parameters", []),
            "body": _name(operation.get("requestBody", {})),
            "answers": [
                {"status": status, "text": answer["description"], "object": _name(answer)}
                for status, answer in operation["responses"].items()
            ],
        }
        for path, item in parsed["paths"].items()
        for method, operation in item.items()
    ]
    objects = [
        {
            "name": name,
            "description": schema.get("description", ""),
            "properties": [
                {
                    "name": member,
                    "type": _type(part),
                    "is_required": member in schema.get("required", ()),
                    "text": part.get("description", ""),
                }
                for member, part in schema.get("properties", {}).items()
            ],
        }
        for name, schema in parsed["components"]["schemas"].items()
        if schema.get("type") == "object"
    ]
    flow = parsed["components"]["securitySchemes"]["message_auth"]["flows"]["clientCredentials"]
    return {
        "document": parsed,
        "operations": operations,
        "objects": objects,
        "token_url": flow["tokenUrl"],
        "scopes": list(flow["scopes"].items()),
    }


def _name(part: dict[str, Any]) -> str:
    for content in part.get("content", {}).values():
        found: str = content.get("schema", {}).get("$ref", "")
        return found.rpartition("/")[2]
    return ""


def _type(part: dict[str, Any]) -> str:
    if "$ref" in part:
        return str(part["$ref"]).rpartition("/")[2]
    if "allOf" in part:
        return _type(part["allOf"][0])
    if part.get("type") == "array":
        return f"{_type(part['items'])} []"
    return str(part.get("type", ""))
