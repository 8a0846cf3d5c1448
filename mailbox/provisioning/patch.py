"""PATCH (RFC 7644 3.5.2): operations on a user or a group, in the forms that Entra ID and Okta send."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final
from uuid import UUID

from .attributes import (
    ACTIVE,
    EMPLOYEE_NUMBER,
    ENTERPRISE_SCHEMA,
    GROUP_TEXTS,
    MEMBERS,
    NAME_PARTS,
    PATCH_SCHEMA,
    USER_TEXTS,
    GroupAttributes,
    UserAttributes,
    by_name,
    checked_group,
    checked_user,
    group_texts_in,
    member_id,
    members_of,
    require_schema,
    switch_of,
    text_of,
    user_texts_in,
    without_schema,
)
from .problems import Refused, invalid_syntax, invalid_value

_MOST_OPERATIONS: Final = 1_000
_LONGEST_PATH: Final = 1_000
# An attribute, with a filter of its values and an attribute of these: emails[type eq "work"].value
_PATH: Final = re.compile(
    r'\A([A-Za-z][\w.:$-]*)(?:\[((?:[^"\]]|"(?:[^"\\]|\\.)*")+)\](?:\.([A-Za-z][\w$-]*))?)?\Z'
)
_MEMBER: Final = re.compile(r'\A\s*value\s+eq\s+("(?:[^"\\]|\\.)*")\s*\Z', re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation: `name` is the attribute's in lower case, empty where the value is a whole resource.

    `selects` is the filter in brackets; `has_value` tells a removal of everything from one of some values.
    """

    kind: str
    name: str
    selects: str
    value: Any
    has_value: bool


def operations_of(body: Mapping[str, Any]) -> list[Operation]:
    """The operations of a PATCH. Raises `Refused`."""
    require_schema(body, PATCH_SCHEMA)
    operations = by_name(body).get("operations")
    if not isinstance(operations, list) or not operations:
        raise invalid_syntax("Operations is not a list of operations.")
    if len(operations) > _MOST_OPERATIONS:
        raise invalid_value(f"There are more than {_MOST_OPERATIONS} operations.")
    return [_operation(each) for each in operations]


def apply_to_user(user: UserAttributes, operations: list[Operation]) -> UserAttributes:
    """The user after the operations. Raises `Refused`."""
    for operation in operations:
        user = _user_after(user, operation)
    return checked_user(user)


def apply_to_group(group: GroupAttributes, operations: list[Operation]) -> GroupAttributes:
    """The group after the operations. Raises `Refused`."""
    for operation in operations:
        group = _group_after(group, operation)
    return checked_group(group)


def _operation(given: Any) -> Operation:
    if not isinstance(given, dict):
        raise invalid_syntax("An operation is not an object.")
    parts = by_name(given)
    kind = text_of(parts.get("op")).lower()
    if kind not in {"add", "replace", "remove"}:
        raise invalid_syntax("op is none of add, replace and remove.")
    path = parts.get("path")
    if path in (None, ""):
        if kind == "remove":
            raise Refused("remove needs a path.", scim_type="noTarget")
        if not isinstance(parts.get("value"), dict):
            raise invalid_value("An operation without path needs an object as its value.")
        return Operation(kind, "", "", parts["value"], has_value=True)
    name, selects = _path_of(path)
    if kind != "remove" and "value" not in parts:
        raise invalid_value("An operation has no value.")
    return Operation(kind, name, selects, parts.get("value"), has_value=parts.get("value") is not None)


def _path_of(path: Any) -> tuple[str, str]:
    """The attribute and the filter in brackets that a path names."""
    match = _PATH.match(path) if isinstance(path, str) and len(path) <= _LONGEST_PATH else None
    if match is None:
        raise Refused("A path cannot be understood.", scim_type="invalidPath")
    name = without_schema(match[1].lower())
    return (f"{name}.{match[3].lower()}" if match[3] else name), match[2] or ""


def _user_after(user: UserAttributes, operation: Operation) -> UserAttributes:
    if operation.kind == "remove":
        return _user_without(user, operation)
    given = by_name(operation.value) if not operation.name else {operation.name: operation.value}
    if ACTIVE in given:
        user = replace(user, is_active=switch_of(_single(given[ACTIVE])))
    for name, value in user_texts_in(given):
        user = user.with_text(name, value)
    return user


def _user_without(user: UserAttributes, operation: Operation) -> UserAttributes:
    if operation.name == ACTIVE:
        raise Refused("active cannot be removed.", scim_type="mutability")
    whole = {
        "name": [f"name.{part}" for part in NAME_PARTS],
        ENTERPRISE_SCHEMA.lower(): [EMPLOYEE_NUMBER],
        **{name.lower(): [name] for name in USER_TEXTS},
    }
    for name in whole.get(operation.name, ()):
        user = user.with_text(name, "")
    return user


def _group_after(group: GroupAttributes, operation: Operation) -> GroupAttributes:
    if operation.name == MEMBERS:
        return replace(group, members=_members_after(group.members, operation))
    if operation.kind == "remove":
        for name in GROUP_TEXTS:
            if name.lower() == operation.name:
                group = group.with_text(name, "")
        return group
    given = by_name(operation.value) if not operation.name else {operation.name: operation.value}
    for name, value in group_texts_in(given):
        group = group.with_text(name, value)
    if MEMBERS in given:
        members = replace(operation, name=MEMBERS, value=given[MEMBERS], selects="")
        group = replace(group, members=_members_after(group.members, members))
    return group


def _members_after(members: frozenset[UUID], operation: Operation) -> frozenset[UUID]:
    if operation.selects:
        chosen = frozenset({_selected_member(operation.selects)})
        if operation.kind != "remove":
            raise Refused("Only members to be removed are chosen by a filter.", scim_type="invalidPath")
        return members - chosen
    given = members_of(operation.value)
    if operation.kind == "remove":
        return members - given if operation.has_value else frozenset()
    return given if operation.kind == "replace" else members | given


def _selected_member(selects: str) -> UUID:
    match = _MEMBER.match(selects)
    try:
        return member_id(json.loads(match[1]) if match else None)
    except (ValueError, Refused):
        raise Refused('Members are chosen by value eq "id".', scim_type="invalidFilter") from None


def _single(value: Any) -> Any:
    """The only value of a list; Entra ID has sent single values in lists."""
    return value[0] if isinstance(value, list) and len(value) == 1 else value
