"""A provider's answer (SAML Core 3.3.3, Profiles 4.1.4): verified, decrypted, and read.

Nothing here knows the browser: whether it asked for the answer is judged where its cookies come
(`pending`).
"""

import hashlib
import json
import logging
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from cryptography.exceptions import UnsupportedAlgorithm
from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from mailbox.models import UsedAssertion

from . import structure
from .configuration import CLOCK_SKEW_SECONDS, answer_url, entity_id, security_context
from .library import saml2
from .provider_metadata import MetadataRejected, Provider, provider

logger = logging.getLogger(__name__)
_SKEW: Final = timedelta(seconds=CLOCK_SKEW_SECONDS)
_LONGEST_UNDERWAY: Final = timedelta(minutes=10)
_BEARER: Final = "urn:oasis:names:tc:SAML:2.0:cm:bearer"
_STATUS: Final = "urn:oasis:names:tc:SAML:2.0:status:"
# What providers answer instead of a login, and what people are told; Sweden Connect's profile 6.4.
_STATUS_REASONS: Final = {
    "http://id.elegnamnden.se/status/1.0/cancel": "cancelled",
    "http://id.elegnamnden.se/status/1.0/fraud": "fraud",
    "http://id.elegnamnden.se/status/1.0/possibleFraud": "fraud",
    f"{_STATUS}NoAuthnContext": "level-unavailable",
    f"{_STATUS}AuthnFailed": "not-identified",
    f"{_STATUS}UnknownPrincipal": "not-identified",
}


class AnswerRejected(Exception):
    """The answer is no login. `reason` is for the person who is told, `cause` for the log: codes both."""

    def __init__(self, cause: str, reason: str = "other", *, level: str = "") -> None:
        super().__init__(cause)
        self.cause = cause
        self.reason = reason
        self.level = level


@dataclass(frozen=True, slots=True)
class Answer:
    """What a verified assertion says. Attributes are by their names, times in seconds since 1970.

    `in_response_to` is the ID of the request that it answers; `session_ends_at` is 0 where the provider
    sets no end.
    """

    provider: str
    in_response_to: str
    attributes: dict[str, list[str]]
    authenticated_at: int
    session_ends_at: int

    def as_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "Answer":
        return cls(**json.loads(text))


def read(document: bytes) -> Answer:
    """The answer in a response, which is used up by it. Raises `AnswerRejected`."""
    try:
        return _read(document)
    except structure.StructureRejected as rejected:
        raise AnswerRejected(rejected.reason) from None
    except MetadataRejected as rejected:
        raise AnswerRejected(f"metadata-{rejected.reason}") from None


def _read(document: bytes) -> Answer:
    text = structure.text_of(document)
    root = structure.parse(text)
    structure.check_response(
        root,
        must_be_signed=settings.SDK_SAML_SIGNED_RESPONSE,
        must_be_encrypted=settings.SDK_SAML_ENCRYPTED_ASSERTION,
    )
    issuer = "".join(root.xpath("string(a:Issuer)", namespaces={"a": structure.ASSERTION}).split())
    asked = provider(issuer)
    if asked is None or not asked.certificates:
        raise AnswerRejected("unknown-provider")
    _check_head(root)
    if not structure.is_success(root):
        _verified_by_library(text, root, asked, is_login=False)
        raise AnswerRejected("status", _reason_of(structure.status_codes(root)))
    response = _verified_by_library(text, root, asked, is_login=True)
    if root.find(f"{{{structure.ASSERTION}}}EncryptedAssertion") is not None:
        structure.check_response(
            structure.parse(structure.text_of(response.xmlstr.encode())),
            must_be_signed=settings.SDK_SAML_SIGNED_RESPONSE,
            must_be_encrypted=True,
            is_decrypted=True,
        )
    answer = _checked(response.assertion, asked, root.get("InResponseTo", ""))
    _use_up(asked.entity_id, response.assertion)
    return answer


def _check_head(root: Any) -> None:
    """The response's own attributes (SAML Core 3.2.2, Bindings 3.5.5.2)."""
    if root.get("Version") != "2.0":
        raise AnswerRejected("version")
    if not root.get("InResponseTo"):
        raise AnswerRejected("not-asked-for")
    if root.get("Destination") != answer_url():
        raise AnswerRejected("destination")
    _check_recent(root.get("IssueInstant", ""))


def _verified_by_library(text: str, root: Any, asked: Provider, *, is_login: bool) -> Any:
    """pysaml2's response, its signatures verified and its assertion decrypted."""
    request_id = root.get("InResponseTo")
    response = saml2("response").AuthnResponse(
        security_context(list(asked.certificates)),
        attribute_converters=[],
        entity_id=entity_id(),
        return_addrs=[answer_url()],
        outstanding_queries={request_id: "-"},
        timeslack=CLOCK_SKEW_SECONDS,
        allow_unknown_attributes=True,
        want_assertions_signed=True,
        want_response_signed=settings.SDK_SAML_SIGNED_RESPONSE,
    )
    try:
        response.loads(text, decode=False, origxml=text)
        if is_login and response.verify() is None:
            raise AnswerRejected("verification")
    except AnswerRejected:
        raise
    except UnsupportedAlgorithm:
        raise AnswerRejected("algorithm") from None
    except Exception as error:  # noqa: BLE001 - pysaml2 raises errors of any class, with the assertion in them
        raise AnswerRejected(f"verification-{type(error).__name__}") from None
    return response


def _checked(assertion: Any, asked: Provider, request_id: str) -> Answer:
    """What the assertion says, once it is checked that it is for this node, now, and enough."""
    if _text(assertion.issuer) != asked.entity_id:
        raise AnswerRejected("another-issuer")
    _check_recent(assertion.issue_instant)
    conditions = assertion.conditions
    if conditions is None or not conditions.not_on_or_after:
        raise AnswerRejected("without-end")
    if not _moment(conditions.not_on_or_after) > timezone.now() - _SKEW:
        raise AnswerRejected("expired")
    restrictions = conditions.audience_restriction
    audiences = [{_text(each) for each in restriction.audience} for restriction in restrictions]
    if not audiences or any(entity_id() not in each for each in audiences):
        raise AnswerRejected("audience")
    confirmations = assertion.subject.subject_confirmation
    if not any(_is_confirmed(each, request_id) for each in confirmations):
        raise AnswerRejected("subject-confirmation")
    (statement,) = assertion.authn_statement
    level = _text(statement.authn_context.authn_context_class_ref) if statement.authn_context else ""
    if level not in settings.SDK_SAML_ACCEPTED_LEVELS:
        raise AnswerRejected("level", "level", level=level)
    ends_at = statement.session_not_on_or_after
    return Answer(
        provider=asked.entity_id,
        in_response_to=request_id,
        attributes=_attributes(assertion.attribute_statement),
        authenticated_at=int(_moment(statement.authn_instant).timestamp()),
        session_ends_at=int(_moment(ends_at).timestamp()) if ends_at else 0,
    )


def _is_confirmed(confirmation: Any, request_id: str) -> bool:
    """Whether it was sent here, in answer to the request and in time (Profiles 4.1.4.2)."""
    data = confirmation.subject_confirmation_data
    if confirmation.method != _BEARER or data is None or data.not_before:
        return False
    is_ours = data.recipient == answer_url() and data.in_response_to == request_id
    return is_ours and bool(data.not_on_or_after) and _moment(data.not_on_or_after) > timezone.now() - _SKEW


def _use_up(issuer: str, assertion: Any) -> None:
    """Remember an assertion until it has expired. Raises `AnswerRejected` where it has been used."""
    used = hashlib.sha256(f"{issuer}\n{assertion.id}".encode()).hexdigest()
    ends = [assertion.conditions.not_on_or_after]
    ends += [
        each.subject_confirmation_data.not_on_or_after for each in assertion.subject.subject_confirmation
    ]
    until = max(_moment(end) for end in ends if end) + 2 * _SKEW
    with transaction.atomic():
        _, is_new = UsedAssertion.objects.get_or_create(assertion_hash=used, defaults={"forgotten_at": until})
    if not is_new:
        raise AnswerRejected("used")


def _attributes(statements: Iterable[Any]) -> dict[str, list[str]]:
    """The values of all attributes by name, without empty ones."""
    found: dict[str, list[str]] = {}
    for statement in statements:
        for attribute in statement.attribute:
            values = [value for each in attribute.attribute_value if (value := _text(each))]
            found.setdefault(str(attribute.name), []).extend(values)
    return found


def _reason_of(codes: list[str]) -> str:
    return next((_STATUS_REASONS[code] for code in reversed(codes) if code in _STATUS_REASONS), "other")


def _check_recent(instant: str) -> None:
    if not -_SKEW < timezone.now() - _moment(instant) < _LONGEST_UNDERWAY:
        raise AnswerRejected("issue-instant")


def _moment(text: str | None) -> datetime:
    try:
        moment = parse_datetime(text or "")
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise AnswerRejected("time")
    return moment


def _text(element: Any) -> str:
    return str(element.text or "").strip() if element is not None else ""
