"""Errors as the contract defines them: problem objects (RFC 7807) with an issue for each error.

The contract's media type is application/json, and its only statuses are 400, 401 and 404: every error in a
request is 400. No issue quotes the request.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

from django.http import Http404, HttpResponse
from django.utils import timezone
from rest_framework import exceptions

from transport.protocol.sdk_message.message import timestamp

BAD_REQUEST: Final = "urn:problem-type:sdk:badRequest"
NOT_FOUND: Final = "urn:problem-type:sdk:notFound"
UNAUTHORIZED: Final = "urn:problem-type:sdk:unauthorized"
_OTHER: Final = "about:blank"
_ERROR: Final = "MESSAGE_EXCHANGE_ERROR"


@dataclass(frozen=True, slots=True)
class Issue:
    """One error and its location: a path in the body, a parameter, or an XPath in the SDK message."""

    title: str
    pointer: str = "NA"
    detail: str = "NA"


class BadRequest(Exception):
    """The request is refused with these issues."""

    def __init__(self, *issues: Issue, title: str = "Bad Request") -> None:
        self.issues = issues
        self.title = title
        super().__init__(title)


def handled(error: Exception, context: dict[str, Any]) -> HttpResponse | None:
    """Django REST framework's exception handler; None for an error of ours, which is answered with 500."""
    match error:
        case BadRequest():
            return response(400, BAD_REQUEST, error.title, error.issues)
        case exceptions.ValidationError():
            return response(400, BAD_REQUEST, "Bad Request", list(_issues(error.detail, "")))
        case (
            exceptions.NotAuthenticated() | exceptions.AuthenticationFailed() | exceptions.PermissionDenied()
        ):
            challenge = getattr(error, "auth_header", None) or 'Bearer error="insufficient_scope"'
            title = (
                "The scope does not allow this"
                if isinstance(error, exceptions.PermissionDenied)
                else "Unauthorized"
            )
            answer = response(401, UNAUTHORIZED, "Unauthorized", [Issue(title)])
            answer.headers["WWW-Authenticate"] = challenge
            return answer
        case Http404() | exceptions.NotFound():
            return response(404, NOT_FOUND, "Not Found", [Issue("There is no such message")])
        case exceptions.MethodNotAllowed():
            answer = response(405, _OTHER, "Method Not Allowed", [])
            answer.headers["Allow"] = ", ".join(context["view"].allowed_methods)
            return answer
        case exceptions.APIException() if error.status_code < HTTPStatus.INTERNAL_SERVER_ERROR:
            return response(400, BAD_REQUEST, "Bad Request", [Issue(type(error).__name__)])
        case exceptions.APIException():
            return response(error.status_code, _OTHER, "Service Unavailable", [])
    return None


def unavailable() -> HttpResponse:
    """The response when the service is unavailable: the client has to try again."""
    return response(HTTPStatus.SERVICE_UNAVAILABLE, _OTHER, "Service Unavailable", [])


def response(status: int, kind: str, title: str, issues: Iterable[Issue]) -> HttpResponse:
    """The response with a problem."""
    now = timestamp(timezone.now())
    body = {
        "type": kind,
        "title": title,
        "status": status,
        "detail": _ERROR if status == HTTPStatus.BAD_REQUEST else title,
        "eventIssues": [
            {
                "typeCode": _ERROR,
                "title": issue.title,
                "detail": issue.detail,
                "in": issue.pointer,
                "dateTime": now,
            }
            for issue in issues
        ],
    }
    return HttpResponse(json.dumps(body), status=status, content_type="application/json")


def _issues(detail: Any, pointer: str) -> Iterable[Issue]:
    """Issues for the errors of a serializer, with the path of each. Their texts do not quote the request."""
    match detail:
        case dict():
            for name, inner in detail.items():
                yield from _issues(inner, pointer if name == "non_field_errors" else f"{pointer}/{name}")
        case list():
            for number, inner in enumerate(detail):
                is_item = isinstance(inner, dict | list)
                yield from _issues(inner, f"{pointer}/{number}" if is_item else pointer)
        case exceptions.ErrorDetail():
            yield Issue("Input isn't valid with respect to schema", pointer or "/", detail.code)
