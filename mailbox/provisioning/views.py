"""The addresses below /scim/v2/: SCIM 2.0 (RFC 7644) for directory services, which are known by tokens."""

from http import HTTPStatus
from typing import Any, Final, TypeVar

from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse

from mailbox.models import DirectoryGroup, DirectoryUser

from . import attributes, filters, groups, patch, problems, representation, users
from .answering import MEDIA_TYPE, METHODS, as_response, for_directory_services, service_address
from .attributes import MEMBERS
from .memberships import lock_directory
from .problems import Refused
from .tokens import Caller

_BODY_TYPES: Final = frozenset({MEDIA_TYPE, "application/json"})
Row = TypeVar("Row", DirectoryUser, DirectoryGroup)


@for_directory_services("Users", "GET", "POST")
def users_view(request: HttpRequest, caller: Caller) -> HttpResponse:
    """List users, or add one."""
    if request.method == "GET":
        asked = filters.list_of(request.GET, is_user=True)
        page, total = _page(users.users_of(caller), asked, caller)
        found = [representation.user_as_json(user, service_address(request)) for user in page]
        return _list(request, found, total, asked.first)
    given = attributes.user_of(_body(request))
    with transaction.atomic():
        lock_directory(caller.participant_id)
        user = users.create(caller, given)
    return _resource(
        request, user, representation.user_as_json(user, service_address(request)), HTTPStatus.CREATED
    )


@for_directory_services("Users", "GET", "PUT", "PATCH", "DELETE")
def user_view(request: HttpRequest, caller: Caller, resource_id: str) -> HttpResponse:
    """Read, replace, change or remove a user."""
    if request.method == "GET":
        user = users.by_id(caller, resource_id)
        return _resource(request, user, representation.user_as_json(user, service_address(request)))
    body = {} if request.method == "DELETE" else _body(request)
    operations = patch.operations_of(body) if request.method == "PATCH" else []
    with transaction.atomic():
        lock_directory(caller.participant_id)
        user = users.by_id(caller, resource_id)
        users.check_version(user, request.headers.get("If-Match", ""))
        if request.method == "DELETE":
            users.delete(caller, user)
            return HttpResponse(status=HTTPStatus.NO_CONTENT)
        if request.method == "PATCH":
            given = patch.apply_to_user(users.attributes_of(user), operations)
        else:
            given = attributes.user_of(body, is_active=user.is_active)
        user = users.change(caller, user, given)
    return _resource(request, user, representation.user_as_json(user, service_address(request)))


@for_directory_services("Groups", "GET", "POST")
def groups_view(request: HttpRequest, caller: Caller) -> HttpResponse:
    """List groups, or add one."""
    if request.method == "GET":
        asked = filters.list_of(request.GET, is_user=False)
        page, total = _page(groups.groups_of(caller), asked, caller)
        members = groups.member_keys(row.pk for row in page) if _with_members(request) else None
        found = [
            representation.group_as_json(
                group, None if members is None else members.get(group.pk, []), service_address(request)
            )
            for group in page
        ]
        return _list(request, found, total, asked.first)
    given = attributes.group_of(_body(request))
    with transaction.atomic():
        lock_directory(caller.participant_id)
        group = groups.create(caller, given)
    return _group(request, group, HTTPStatus.CREATED)


@for_directory_services("Groups", "GET", "PUT", "PATCH", "DELETE")
def group_view(request: HttpRequest, caller: Caller, resource_id: str) -> HttpResponse:
    """Read, replace, change or remove a group."""
    if request.method == "GET":
        return _group(request, groups.by_id(caller, resource_id))
    body = {} if request.method == "DELETE" else _body(request)
    operations = patch.operations_of(body) if request.method == "PATCH" else []
    with transaction.atomic():
        lock_directory(caller.participant_id)
        group = groups.by_id(caller, resource_id)
        users.check_version(group, request.headers.get("If-Match", ""))
        if request.method == "DELETE":
            groups.delete(caller, group)
            return HttpResponse(status=HTTPStatus.NO_CONTENT)
        if request.method == "PATCH":
            given = patch.apply_to_group(groups.attributes_of(group), operations)
        else:
            given = attributes.group_of(body)
        group = groups.change(caller, group, given)
    if request.method == "PATCH" and "attributes" not in request.GET:
        # A group may be long, and nobody asked for it (RFC 7644 3.5.2).
        return HttpResponse(status=HTTPStatus.NO_CONTENT, headers={"ETag": representation.etag(group)})
    return _group(request, group)


@for_directory_services("ServiceProviderConfig", "GET")
def configuration_view(request: HttpRequest, caller: Caller) -> HttpResponse:
    """What the service can do."""
    return as_response(representation.configuration(service_address(request)))


@for_directory_services("ResourceTypes", "GET")
def resource_types_view(request: HttpRequest, caller: Caller, name: str = "") -> HttpResponse:
    """The kinds of resources, or one of them."""
    return _one_or_all(request, representation.resource_types(service_address(request)), name)


@for_directory_services("Schemas", "GET")
def schemas_view(request: HttpRequest, caller: Caller, name: str = "") -> HttpResponse:
    """The attributes that are kept, of all schemas or of one."""
    return _one_or_all(request, representation.schemas(service_address(request)), name)


@for_directory_services("other", *METHODS)
def nothing_view(request: HttpRequest, caller: Caller, path: str = "") -> HttpResponse:
    """Every other address, such as /Me and /Bulk."""
    raise problems.not_found()


def _body(request: HttpRequest) -> dict[str, Any]:
    content_type = request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if content_type not in _BODY_TYPES:
        raise Refused(f"The content type is not {MEDIA_TYPE}.", status=HTTPStatus.UNSUPPORTED_MEDIA_TYPE)
    return attributes.read_json(request.body)


def _page(rows: QuerySet[Row], asked: filters.Asked, caller: Caller) -> tuple[list[Row], int]:
    """The rows of a page, and how many there are in all."""
    for name, column, value in asked.conditions:
        wanted = attributes.lookup_hash(caller.participant_id, name, value)
        rows = rows.filter(**{column: wanted}) if wanted else rows.none()
    total = rows.count()
    first = asked.first - 1
    return list(rows[first : first + asked.count]) if asked.count else [], total


def _with_members(request: HttpRequest) -> bool:
    return filters.wants_attribute(request.GET, MEMBERS)


def _group(request: HttpRequest, group: DirectoryGroup, status: HTTPStatus = HTTPStatus.OK) -> HttpResponse:
    members = groups.member_keys([group.pk]).get(group.pk, []) if _with_members(request) else None
    body = representation.group_as_json(group, members, service_address(request))
    return _resource(request, group, body, status)


def _resource(
    request: HttpRequest,
    resource: DirectoryUser | DirectoryGroup,
    body: dict[str, Any],
    status: HTTPStatus = HTTPStatus.OK,
) -> HttpResponse:
    version = representation.etag(resource)
    headers = {"ETag": version}
    if status == HTTPStatus.CREATED:
        headers["Location"] = body["meta"]["location"]
    known = {part.strip() for part in request.headers.get("If-None-Match", "").split(",")}
    if request.method == "GET" and version in known:
        return HttpResponse(status=HTTPStatus.NOT_MODIFIED, headers=headers)
    return as_response(filters.only_asked(body, request.GET), status, headers)


def _list(request: HttpRequest, found: list[dict[str, Any]], total: int, first: int) -> HttpResponse:
    resources = [filters.only_asked(body, request.GET) for body in found]
    return as_response(representation.list_as_json(resources, total, first))


def _one_or_all(request: HttpRequest, rows: list[dict[str, Any]], name: str) -> HttpResponse:
    if not name:
        return as_response(representation.list_as_json(rows, len(rows), 1))
    for row in rows:
        if row["id"].lower() == name.lower():
            return as_response(row)
    raise problems.not_found()
