"""Keys of rows that stand in values, where no foreign key tells of them: how each is given its new key.

A value that may hold one has to be entered here, or among the plain ones: a test compares the lists with the
columns that there are.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

from mailbox.models import Redirection


class NewKeys(Protocol):
    """The keys that rows have in the installation that imports."""

    def of(self, label: str, key: Any) -> Any:
        """The new key of a row of the model."""


def _key(label: str) -> Callable[[Any, NewKeys], Any]:
    return lambda value, keys: None if value is None else keys.of(label, value)


def _key_or_zero(label: str) -> Callable[[Any, NewKeys], Any]:
    return lambda value, keys: keys.of(label, value) if value else 0


def _keys(label: str) -> Callable[[Any, NewKeys], Any]:
    return lambda value, keys: [keys.of(label, key) for key in value]


def _key_as_text(label: str) -> Callable[[Any, NewKeys], Any]:
    return lambda value, keys: str(keys.of(label, int(value))) if value.isdecimal() else value


def _fields(**kinds: Callable[[Any, NewKeys], Any]) -> Callable[[Any, NewKeys], Any]:
    def renewed(value: Mapping[str, Any], keys: NewKeys) -> dict[str, Any]:
        return {name: kinds[name](each, keys) if name in kinds else each for name, each in value.items()}

    return renewed


def _proposals(value: Mapping[str, Any], keys: NewKeys) -> dict[str, Any]:
    by = _fields(by=_key_as_text(_PERSON))
    return {kind: by(proposal, keys) for kind, proposal in value.items()}


def _redirection(value: Mapping[str, Any], keys: NewKeys, kind: str) -> dict[str, Any]:
    renewed: dict[str, Any] = _fields(mailbox=_key(_MAILBOX), rule=_key("mailbox.ArrivalRule"))(value, keys)
    if kind == Redirection.Kind.CLOSE_FUNCTION:
        # The function of a route is an address.
        function = _key("addressbook.OwnFunction")
        renewed = _fields(function=function, successor=function)(renewed, keys)
    return renewed


def _approved_content(value: Mapping[str, Any], keys: NewKeys) -> dict[str, Any]:
    def attachments(rows: list[list[Any]], keys: NewKeys) -> list[list[Any]]:
        return [[keys.of("mailbox.DraftAttachment", key), *rest] for key, *rest in rows]

    return dict(_fields(answers=_key(_MESSAGE), attachments=attachments)(value, keys))


_PERSON: Final = "mailbox.Person"
_MESSAGE: Final = "mailbox.Message"
_MAILBOX: Final = "mailbox.FunctionMailbox"
_ACTIONS: Final = _fields(
    label=_key("mailbox.Label"),
    assign_to=_key(_PERSON),
    among=_keys(_PERSON),
    move_to=_key(_MAILBOX),
    notify=_keys(_PERSON),
)

REFERENCES: Final[dict[tuple[str, str], Callable[[Any, NewKeys], Any]]] = {
    ("mailbox.Message", "draft_number"): _key("mailbox.Draft"),
    ("mailbox.Draft", "seen_message"): _key(_MESSAGE),
    ("mailbox.Draft", "writer_ids"): _keys(_PERSON),
    ("mailbox.ApprovalRequest", "writer_ids"): _keys(_PERSON),
    ("mailbox.ApprovalRequest", "content"): _approved_content,
    ("mailbox.ArrivalRule", "actions"): _ACTIONS,
    ("mailbox.ArrivalTurn", "person_id"): _key_or_zero(_PERSON),
    ("mailbox.CaseDelivery", "newest_message"): _key(_MESSAGE),
    ("message_api.ApiClient", "proposals"): _proposals,
    ("remote_message_service.RemoteService", "changed_by"): _key_as_text(_PERSON),
    # For undoing within some seconds.
    ("mailbox.ConversationEvent", "before"): lambda value, keys: None,
}

# What may hold keys by its type, and does not; the access log's details stay as they were.
PLAIN: Final = frozenset(
    {
        ("access_point.OutboundTransfer", "sent_references"),
        ("access_point.InboundTransfer", "signed_references"),
        ("access_point.InboundTransfer", "size"),
        ("addressbook.OwnFunction", "categories"),
        ("addressbook.OwnFunction", "search_words"),
        ("mailbox.AccessLogEntry", "details"),
        ("mailbox.AccessLogEntry", "number"),
        ("mailbox.ArrivalRule", "conditions"),
        ("mailbox.Attachment", "size"),
        ("mailbox.CaseDelivery", "package_size"),
        ("mailbox.DailyCounterpart", "answered_minutes"),
        ("mailbox.DirectoryGroup", "attributes"),
        ("mailbox.DirectoryUser", "attributes"),
        ("mailbox.Document", "texts"),
        ("mailbox.Draft", "further_persons"),
        ("mailbox.Draft", "further_references"),
        ("mailbox.DraftAttachment", "size"),
        ("mailbox.DraftVersion", "content"),
        ("mailbox.Message", "recipient_persons"),
        ("mailbox.Message", "recipient_references"),
        ("mailbox.Message", "sender_persons"),
        ("mailbox.Message", "sender_references"),
        ("mailbox.RetentionProtocol", "message_ids"),
        ("mailbox.StaffedHours", "week"),
        ("mailbox.StaffedHoursException", "hours"),
        ("message_api.ApiClient", "auth_ids"),
        ("message_api.ApiClient", "keys"),
        ("message_api.ApiClient", "scopes"),
        ("message_api.HeldMessage", "head"),
        ("message_api.HeldMessage", "pieces"),
        ("message_service.OutgoingMessage", "causes"),
        ("message_service.QuarantinedFile", "size"),
        ("remote_message_service.RemoteService", "cursor"),
        ("remote_message_service.RemoteService", "public_key"),
    }
)


def renewed(label: str, values: Mapping[str, Any], keys: NewKeys) -> dict[str, Any]:
    """The values of a row, with the new keys in place of those that stand in them."""
    found = dict(values)
    for name in values:
        if renew := REFERENCES.get((label, name)):
            found[name] = renew(values[name], keys)
    if label == "mailbox.Redirection":
        found["value"] = _redirection(values["value"], keys, values["kind"])
    return found
