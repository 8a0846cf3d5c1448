"""Users, groups and lists as SCIM shows them, and what this service says of itself (RFC 7643 4 to 8)."""

from collections.abc import Iterable
from typing import Any, Final
from uuid import UUID

from mailbox.models import DirectoryGroup, DirectoryUser

from .attributes import (
    ACTIVE,
    DISPLAY_NAME,
    EMPLOYEE_NUMBER,
    ENTERPRISE_SCHEMA,
    EXTERNAL_ID,
    GROUP_SCHEMA,
    MEMBERS,
    NAME_PARTS,
    USER_NAME,
    USER_SCHEMA,
)
from .filters import MOST_RESULTS

LIST_SCHEMA: Final = "urn:ietf:params:scim:api:messages:2.0:ListResponse"
_CONFIGURATION_SCHEMA: Final = "urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"
_TYPE_SCHEMA: Final = "urn:ietf:params:scim:schemas:core:2.0:ResourceType"
_SCHEMA_SCHEMA: Final = "urn:ietf:params:scim:schemas:core:2.0:Schema"


def etag(resource: DirectoryUser | DirectoryGroup) -> str:
    """The version of a user or group, as a weak ETag."""
    return f'W/"{resource.version}"'


def user_as_json(user: DirectoryUser, base: str) -> dict[str, Any]:
    """A user; `base` is the service's address."""
    texts = user.attributes
    body: dict[str, Any] = {"schemas": [USER_SCHEMA], "id": str(user.key), ACTIVE: user.is_active}
    body |= {name: texts[name] for name in (USER_NAME, EXTERNAL_ID, DISPLAY_NAME) if name in texts}
    parts = {part: texts[f"name.{part}"] for part in NAME_PARTS if f"name.{part}" in texts}
    if parts:
        body["name"] = parts
    if EMPLOYEE_NUMBER in texts:
        body["schemas"].append(ENTERPRISE_SCHEMA)
        body[ENTERPRISE_SCHEMA] = {EMPLOYEE_NUMBER: texts[EMPLOYEE_NUMBER]}
    return {**body, "meta": _meta("User", user, base)}


def group_as_json(group: DirectoryGroup, members: Iterable[UUID] | None, base: str) -> dict[str, Any]:
    """A group, without `members` where these are None."""
    body: dict[str, Any] = {"schemas": [GROUP_SCHEMA], "id": str(group.key)}
    body |= {name: group.attributes[name] for name in (EXTERNAL_ID, DISPLAY_NAME) if name in group.attributes}
    if members is not None:
        body[MEMBERS] = [
            {"value": str(key), "$ref": f"{base}/Users/{key}", "type": "User"} for key in members
        ]
    return {**body, "meta": _meta("Group", group, base)}


def list_as_json(resources: list[dict[str, Any]], total: int, first: int) -> dict[str, Any]:
    """A page of a list (RFC 7644 3.4.2)."""
    return {
        "schemas": [LIST_SCHEMA],
        "totalResults": total,
        "startIndex": first,
        "itemsPerPage": len(resources),
        "Resources": resources,
    }


def configuration(base: str) -> dict[str, Any]:
    """What the service can do."""
    return {
        "schemas": [_CONFIGURATION_SCHEMA],
        "patch": {"supported": True},
        "bulk": {"supported": False, "maxOperations": 0, "maxPayloadSize": 0},
        "filter": {"supported": True, "maxResults": MOST_RESULTS},
        "changePassword": {"supported": False},
        "sort": {"supported": False},
        "etag": {"supported": True},
        "authenticationSchemes": [
            {
                "type": "oauthbearertoken",
                "name": "Bearer token",
                "description": "A token that two administrators of the organisation have made and confirmed.",
                "primary": True,
            }
        ],
        "meta": {"resourceType": "ServiceProviderConfig", "location": f"{base}/ServiceProviderConfig"},
    }


def resource_types(base: str) -> list[dict[str, Any]]:
    """The kinds of resources."""
    user = {
        **_resource_type("User", USER_SCHEMA, base),
        "schemaExtensions": [{"schema": ENTERPRISE_SCHEMA, "required": False}],
    }
    return [user, _resource_type("Group", GROUP_SCHEMA, base)]


def schemas(base: str) -> list[dict[str, Any]]:
    """The attributes that are kept; others are ignored."""
    name = {
        **_attribute("name", kind="complex"),
        "subAttributes": [_attribute(part) for part in NAME_PARTS],
    }
    members = {
        **_attribute(MEMBERS, kind="complex", is_many=True),
        "subAttributes": [
            _attribute("value", mutability="immutable"),
            {**_attribute("$ref", kind="reference", mutability="immutable"), "referenceTypes": ["User"]},
            _attribute("type", mutability="immutable"),
        ],
    }
    of_user = [
        _attribute(USER_NAME, is_required=True, uniqueness="server"),
        name,
        _attribute(DISPLAY_NAME),
        _attribute(ACTIVE, kind="boolean"),
    ]
    return [
        _schema(USER_SCHEMA, "User", of_user, base),
        _schema(ENTERPRISE_SCHEMA, "EnterpriseUser", [_attribute(EMPLOYEE_NUMBER)], base),
        _schema(GROUP_SCHEMA, "Group", [_attribute(DISPLAY_NAME, is_required=True), members], base),
    ]


def _meta(kind: str, resource: DirectoryUser | DirectoryGroup, base: str) -> dict[str, Any]:
    return {
        "resourceType": kind,
        "created": resource.made_at.isoformat(),
        "lastModified": resource.changed_at.isoformat(),
        "location": f"{base}/{kind}s/{resource.key}",
        "version": etag(resource),
    }


def _resource_type(name: str, schema: str, base: str) -> dict[str, Any]:
    return {
        "schemas": [_TYPE_SCHEMA],
        "id": name,
        "name": name,
        "endpoint": f"/{name}s",
        "schema": schema,
        "meta": {"resourceType": "ResourceType", "location": f"{base}/ResourceTypes/{name}"},
    }


def _schema(identifier: str, name: str, attributes: list[dict[str, Any]], base: str) -> dict[str, Any]:
    return {
        "schemas": [_SCHEMA_SCHEMA],
        "id": identifier,
        "name": name,
        "attributes": attributes,
        "meta": {"resourceType": "Schema", "location": f"{base}/Schemas/{identifier}"},
    }


def _attribute(
    name: str,
    *,
    kind: str = "string",
    is_many: bool = False,
    is_required: bool = False,
    mutability: str = "readWrite",
    uniqueness: str = "none",
) -> dict[str, Any]:
    return {
        "name": name,
        "type": kind,
        "multiValued": is_many,
        "required": is_required,
        "caseExact": False,
        "mutability": mutability,
        "returned": "default",
        "uniqueness": uniqueness,
    }
