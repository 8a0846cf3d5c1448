"""A directory service as the tests play it: its token, and the requests that it sends."""

import json
from datetime import timedelta
from typing import Any

from django.utils import timezone

from mailbox.models import DirectoryGroup, DirectoryToken, FunctionMailbox, Person
from mailbox.provisioning import memberships, tokens
from tests.mailbox.administration.build import HERE, with_role

USER = "urn:ietf:params:scim:schemas:core:2.0:User"
ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"
PATCH = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
THERE = "0203:annan.se"
SUBJECT = "199001012385"


def a_token(participant_id: str = HERE, name: str = "Entra ID") -> tuple[DirectoryToken, str]:
    """A token that two administrators have made and confirmed."""
    maker, other = (with_role("administrator", participant_id, name=who) for who in ("Eva", "Ahmed"))
    token, secret = tokens.make(maker, participant_id, name, timezone.now() + timedelta(days=90))
    tokens.confirm(other, token)
    token.refresh_from_db()
    return token, secret


class DirectoryService:
    """Sends requests with a token by Django's test client."""

    def __init__(self, client: Any, secret: str) -> None:
        self.client = client
        self.secret = secret

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        content = body if isinstance(body, bytes | str) else json.dumps(body)
        given = {} if body is None else {"data": content, "content_type": "application/scim+json"}
        return self.client.generic(
            method,
            f"/scim/v2/{path}",
            headers={"Authorization": f"Bearer {self.secret}", **headers},
            **given,
        )

    def add_user(self, user_name: str = SUBJECT, **more: Any) -> Any:
        body = {"schemas": [USER], "userName": user_name, "displayName": "Karin Svensson", **more}
        return self.ask("POST", "Users", {"active": True, **body})

    def user(self, user_name: str = SUBJECT, **more: Any) -> str:
        """The id of a new user."""
        answer = self.add_user(user_name, **more)
        assert answer.status_code == 201, answer.content
        return answer.json()["id"]

    def group(self, name: str, *members: str, **more: Any) -> str:
        """The id of a new group."""
        given = [{"value": member} for member in members]
        body = {"schemas": [GROUP], "displayName": name, "members": given, **more}
        answer = self.ask("POST", "Groups", body)
        assert answer.status_code == 201, answer.content
        return answer.json()["id"]

    def patch(self, path: str, *operations: dict[str, Any], **headers: str) -> Any:
        return self.ask("PATCH", path, {"schemas": [PATCH], "Operations": list(operations)}, **headers)


def a_directory(mailbox: FunctionMailbox, maker: Person, word: str = "Gruppen") -> dict[str, object]:
    """What a directory service has told of a mailbox's organisation: keys for addresses, by their names."""
    participant_id, now = mailbox.participant_id, timezone.now()
    token, _ = tokens.make(maker, participant_id, f"{word}nyckeln", now + timedelta(days=90))
    group = DirectoryGroup.objects.create(
        participant_id=participant_id, attributes={"displayName": word}, made_at=now, changed_at=now
    )
    mapping = memberships.make_mapping(maker, group, mailbox, "member")
    return {
        "token_id": token.pk,
        "group_id": group.pk,
        "mapping_id": mapping.pk,
        "resource_id": str(group.key),
        "name": "User",
        "path": "v2/Me",
    }
