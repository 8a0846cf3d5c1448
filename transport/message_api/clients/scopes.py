"""Scopes of B1.4.2 ("Behörighetsstyrande scope"): each allows one operation."""

from enum import StrEnum


class Scope(StrEnum):
    """The scopes by the names of the contract's list; its `security` of `sendMessage` has another name."""

    SEND = "urn:sdk.api:sendMessages"
    GET = "urn:sdk.api:getMessage"
    GET_BY_FILTER = "urn:sdk.api:getMessageByFilter"
    DELETE = "urn:sdk.api:deleteMessage"


MEANING = {
    Scope.SEND: "send a message",
    Scope.GET: "get a message by id",
    Scope.GET_BY_FILTER: "get messages by filter",
    Scope.DELETE: "delete a message",
}
