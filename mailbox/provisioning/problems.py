"""What a directory service is told when a request is refused (RFC 7644 3.12)."""

from http import HTTPStatus
from typing import Any, Final

ERROR_SCHEMA: Final = "urn:ietf:params:scim:api:messages:2.0:Error"


class Refused(Exception):
    """A request is refused; `detail` repeats nothing of what was sent, and `scim_type` is RFC 7644's."""

    def __init__(
        self, detail: str, *, scim_type: str = "", status: HTTPStatus = HTTPStatus.BAD_REQUEST
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.scim_type = scim_type
        self.status = status

    @property
    def reason(self) -> str:
        """The short code that the list of errors has."""
        return self.scim_type or str(self.status.value)


def invalid_syntax(detail: str) -> Refused:
    """The body's structure is wrong."""
    return Refused(detail, scim_type="invalidSyntax")


def invalid_value(detail: str) -> Refused:
    """A value is missing, of the wrong type or too long."""
    return Refused(detail, scim_type="invalidValue")


def not_unique(detail: str) -> Refused:
    """Another resource of the organisation has the value already."""
    return Refused(detail, scim_type="uniqueness", status=HTTPStatus.CONFLICT)


def not_found() -> Refused:
    """The organisation has no such resource."""
    return Refused("There is no such resource.", status=HTTPStatus.NOT_FOUND)


def as_json(refused: Refused) -> dict[str, Any]:
    """The body of the response."""
    body: dict[str, Any] = {
        "schemas": [ERROR_SCHEMA],
        "status": str(refused.status.value),
        "detail": refused.detail,
    }
    if refused.scim_type:
        body["scimType"] = refused.scim_type
    return body
