"""A message client as another maker would write it, from the contract and its text alone."""

import base64
import json
import time
import uuid
from typing import Any

import requests
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

ALL_SCOPES = (
    "urn:sdk.api:sendMessages urn:sdk.api:getMessage urn:sdk.api:getMessageByFilter urn:sdk.api:deleteMessage"
)


class OtherMakersClient:
    """Sends, polls, fetches and deletes at `{base}/sdk/messages`."""

    def __init__(self, base: str, token_url: str, client_id: str, key: ECKey | RSAKey) -> None:
        self.base = base
        self.token_url = token_url
        self.client_id = client_id
        self.key = key
        self.http = requests.Session()

    def assertion(self, **changes: Any) -> str:
        now = int(time.time())
        claims = {
            "iss": self.client_id,
            "sub": self.client_id,
            "aud": self.token_url,
            "iat": now,
            "exp": now + 60,
            "jti": uuid.uuid4().hex,
            **changes,
        }
        algorithm = "ES256" if isinstance(self.key, ECKey) else "PS256"
        header = {"alg": algorithm, "kid": self.key.kid}
        return jwt.encode(
            header, {k: v for k, v in claims.items() if v is not None}, self.key, algorithms=[algorithm]
        )

    def ask_for_token(self, assertion: str | None = None, scope: str = ALL_SCOPES) -> requests.Response:
        form = {
            "grant_type": "client_credentials",
            "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            "client_assertion": assertion or self.assertion(),
            "scope": scope,
        }
        return self.http.post(self.token_url, data=form, timeout=30)

    def log_in(self, scope: str = ALL_SCOPES) -> None:
        answer = self.ask_for_token(scope=scope)
        assert answer.status_code == 200, answer.text
        self.http.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"

    def send(self, **attributes: Any) -> requests.Response:
        return self.post({"data": {"type": "messages", "attributes": attributes}})

    def post(self, body: Any, **options: Any) -> requests.Response:
        content = body if isinstance(body, bytes) else json.dumps(body)
        headers = {"Content-Type": "application/json"}
        return self.http.post(
            f"{self.base}/sdk/messages", data=content, headers=headers, timeout=60, **options
        )

    def find(self, *extra: tuple[str, str], **filters: str) -> requests.Response:
        query = [(f"filter[{name.replace('__', '.')}]", value) for name, value in filters.items()]
        return self.http.get(f"{self.base}/sdk/messages", params=[*query, *extra], timeout=60)

    def found(self, **filters: str) -> list[str]:
        answer = self.find(**filters)
        assert answer.status_code == 200, answer.text
        return [item["id"] for item in answer.json()["data"]]

    def get(self, identity: str, **query: str) -> requests.Response:
        params = {f"filter[{name}]": value for name, value in query.items()}
        return self.http.get(f"{self.base}/sdk/messages/{identity}", params=params, timeout=60)

    def status(self, identity: str) -> str:
        return self.get(identity).json()["data"]["attributes"]["messageStatus"]

    def delete(self, identity: str) -> requests.Response:
        return self.http.delete(f"{self.base}/sdk/messages/{identity}", timeout=60)


def a_letter(
    sender: str, sender_function: str, recipient: str, recipient_function: str, **changes: Any
) -> dict:
    """The attributes of a message, as the contract's example has them."""
    root = "urn:riv:infrastructure:messaging:functionalAddress"
    return {
        "confidentiality": True,
        "label": "Kallelse till möte",
        "sender": sender,
        "recipient": recipient,
        "senderAttention": {
            "subOrganization": {"root": root, "extension": sender_function, "label": "Utkorgen"},
            "attentionPerson": [{"root": "1.2.752.29.6.2.1", "extension": "SE-1", "label": "Anna Andersson"}],
        },
        "recipientAttention": {
            "subOrganization": {"root": root, "extension": recipient_function, "label": "Inkorgen"},
            "referenceId": [
                {"root": "1.2.752.129.2.1.3.1", "extension": "191212121212", "label": "Tolvan Tolvansson"}
            ],
        },
        "digitalDocument": [
            {
                "documentName": "Kallelse",
                "documentId": "d-1",
                "index": "1",
                "contentTextBody": ["Välkommen på **fredag**"],
                "contentFiles": [a_file()],
            }
        ],
        **changes,
    }


def a_file(content: bytes = b"%PDF-1.7 fika", name: str = "karta.pdf") -> dict[str, str]:
    return {
        "fileName": name,
        "contentType": "application/pdf",
        "content": base64.b64encode(content).decode(),
    }
