"""The attributes of users and groups that are kept, read strictly from what a directory service sends.

Names of attributes are matched without regard to case (RFC 7643 2.1). Attributes that are not kept are
ignored, since directory services send many that nothing here needs.
"""

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final
from uuid import UUID

from django.conf import settings

from transport.names import is_name

from .problems import Refused, invalid_syntax, invalid_value

USER_SCHEMA: Final = "urn:ietf:params:scim:schemas:core:2.0:User"
ENTERPRISE_SCHEMA: Final = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
GROUP_SCHEMA: Final = "urn:ietf:params:scim:schemas:core:2.0:Group"
PATCH_SCHEMA: Final = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
USER_NAME: Final = "userName"
EXTERNAL_ID: Final = "externalId"
DISPLAY_NAME: Final = "displayName"
EMPLOYEE_NUMBER: Final = "employeeNumber"
ACTIVE: Final = "active"
MEMBERS: Final = "members"
NAME_PARTS: Final = ("formatted", "familyName", "givenName")
# The texts of a user, by the path that a PATCH names them by, without schema.
USER_TEXTS: Final = (
    USER_NAME,
    EXTERNAL_ID,
    DISPLAY_NAME,
    *(f"name.{part}" for part in NAME_PARTS),
    EMPLOYEE_NUMBER,
)
GROUP_TEXTS: Final = (EXTERNAL_ID, DISPLAY_NAME)
# RFC 7643: `externalId` differs by case, the others do not.
_EXACT: Final = frozenset({EXTERNAL_ID})
_LONGEST: Final = 500
_MOST_MEMBERS: Final = 20_000


@dataclass(frozen=True, slots=True)
class UserAttributes:
    """A user: `texts` by their names in `USER_TEXTS`, empty ones left out."""

    texts: Mapping[str, str]
    is_active: bool = True

    @property
    def identity(self) -> str:
        """The value of the attribute that holds what the e-ID says. Raises `Refused` where there is none."""
        value = self.texts.get(settings.SDK_SCIM_IDENTITY, "")
        if not "".join(value.split()).replace("-", ""):
            raise invalid_value(f"{settings.SDK_SCIM_IDENTITY} is missing: it says who the person is.")
        return value

    @property
    def name(self) -> str:
        """What the person is called here."""
        full = " ".join(filter(None, (self.texts.get("name.givenName"), self.texts.get("name.familyName"))))
        return self.texts.get(DISPLAY_NAME) or self.texts.get("name.formatted") or full or "-"

    def with_text(self, name: str, value: str) -> "UserAttributes":
        """The user with another text; an empty one is removed."""
        return replace(self, texts=_with_text(self.texts, name, value))


@dataclass(frozen=True, slots=True)
class GroupAttributes:
    """A group: `texts` by their names in `GROUP_TEXTS`, and the ids of its users."""

    texts: Mapping[str, str]
    members: frozenset[UUID] = frozenset()

    def with_text(self, name: str, value: str) -> "GroupAttributes":
        """The group with another text; an empty one is removed."""
        return replace(self, texts=_with_text(self.texts, name, value))


def read_json(body: bytes) -> dict[str, Any]:
    """The object of a body. Raises `Refused` for what is no JSON object, or too deep."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        raise invalid_syntax("The body is not JSON.") from None
    if not isinstance(value, dict):
        raise invalid_syntax("The body is not a JSON object.")
    return value


def require_schema(body: Mapping[str, Any], schema: str) -> None:
    """Raises `Refused` unless the body says that it has the schema."""
    schemas = by_name(body).get("schemas")
    if not isinstance(schemas, list) or schema.lower() not in (str(each).lower() for each in schemas):
        raise invalid_syntax(f"schemas does not name {schema}.")


def user_of(body: Mapping[str, Any], *, is_active: bool = True) -> UserAttributes:
    """The user that a POST or PUT describes; active as given here where it does not say. Raises `Refused`."""
    require_schema(body, USER_SCHEMA)
    given = by_name(body)
    user = UserAttributes({}, is_active=switch_of(given.get(ACTIVE, is_active)))
    for name, value in user_texts_in(given):
        user = user.with_text(name, value)
    return checked_user(user)


def checked_user(user: UserAttributes) -> UserAttributes:
    """The same user. Raises `Refused` where a required attribute is missing."""
    if not user.texts.get(USER_NAME):
        raise invalid_value("userName is missing.")
    _ = user.identity
    return user


def group_of(body: Mapping[str, Any]) -> GroupAttributes:
    """The group that a POST or PUT describes. Raises `Refused`."""
    require_schema(body, GROUP_SCHEMA)
    given = by_name(body)
    group = GroupAttributes({}, members=members_of(given.get(MEMBERS)))
    for name, value in group_texts_in(given):
        group = group.with_text(name, value)
    return checked_group(group)


def checked_group(group: GroupAttributes) -> GroupAttributes:
    """The same group. Raises `Refused` where a required attribute is missing."""
    if not group.texts.get(DISPLAY_NAME):
        raise invalid_value("displayName is missing.")
    return group


def user_texts_in(given: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The texts of a user in an object whose names are lower-case; `name` may be an object or, as Entra ID
    sends it, paths such as `name.familyName`. Raises `Refused`."""
    found = [(name, text_of(given[name.lower()])) for name in USER_TEXTS if name.lower() in given]
    if "name" in given:
        parts = by_name(_object_of(given["name"]))
        found += [
            (f"name.{part}", text_of(parts[part.lower()])) for part in NAME_PARTS if part.lower() in parts
        ]
    prefix = ENTERPRISE_SCHEMA.lower()
    if prefix in given:
        parts = by_name(_object_of(given[prefix]))
        if EMPLOYEE_NUMBER.lower() in parts:
            found.append((EMPLOYEE_NUMBER, text_of(parts[EMPLOYEE_NUMBER.lower()])))
    return found


def group_texts_in(given: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The texts of a group in an object whose names are lower-case. Raises `Refused`."""
    return [(name, text_of(given[name.lower()])) for name in GROUP_TEXTS if name.lower() in given]


def by_name(given: Mapping[str, Any]) -> dict[str, Any]:
    """An object's values by lower-case names, without the schema that a name may begin with."""
    found = {}
    for name, value in given.items():
        found[without_schema(name.lower())] = value
    return found


def without_schema(name: str) -> str:
    """An attribute's lower-case name without the schema before it."""
    for schema in (USER_SCHEMA, ENTERPRISE_SCHEMA, GROUP_SCHEMA):
        if name.startswith(f"{schema.lower()}:"):
            return name[len(schema) + 1 :]
    return name


def text_of(value: Any) -> str:
    """A text; null is the empty one. Raises `Refused` for other types, control characters and long
    ones."""
    if value is None:
        return ""
    if not isinstance(value, str):
        raise invalid_value("A value is not a string.")
    if len(value) > _LONGEST:
        raise invalid_value(f"A value is longer than {_LONGEST} characters.")
    if not is_name(value):
        raise invalid_value("A value has control characters.")
    return value.strip()


def switch_of(value: Any) -> bool:
    """A boolean, which Entra ID also sends as the text "True" or "False". Raises `Refused`."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in {"true", "false"}:
        return value.lower() == "true"
    raise invalid_value("active is neither true nor false.")


def members_of(value: Any) -> frozenset[UUID]:
    """The ids in a list of members, or in one member. Raises `Refused`."""
    if value is None:
        return frozenset()
    members = value if isinstance(value, list) else [value]
    if len(members) > _MOST_MEMBERS:
        raise invalid_value(f"A group has more than {_MOST_MEMBERS} members.")
    return frozenset(member_id(by_name(_object_of(member)).get("value")) for member in members)


def member_id(value: Any) -> UUID:
    """The id of a member. Raises `Refused`."""
    try:
        return UUID(text_of(value))
    except ValueError:
        raise no_member() from None


def no_member() -> Refused:
    """What names a member is no id of a user of the organisation."""
    return invalid_value("A member is no user that this service knows.")


def lookup_hash(participant_id: str, attribute: str, value: str) -> str:
    """The keyed hash by which a value is looked up; empty for an empty one."""
    if not value:
        return ""
    normal = value if attribute in _EXACT else value.casefold()
    text = "\0".join(("scim", participant_id, attribute, normal))
    return hmac.new(settings.SDK_PERSON_KEY.encode(), text.encode(), hashlib.sha256).hexdigest()


def _with_text(texts: Mapping[str, str], name: str, value: str) -> dict[str, str]:
    kept = {other: text for other, text in texts.items() if other != name}
    return {**kept, name: value} if value else kept


def _object_of(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise invalid_value("A value is not an object.")
    return value
