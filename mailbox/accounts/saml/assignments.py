"""Assignments ("medarbetaruppdrag"): of several in an assertion a person chooses one, which decides who they
are here and which membership rules apply.

A value of `SDK_SAML_ASSIGNMENT_ATTRIBUTE` is a text (an HSA-id), or JSON: an object with members such as
`commissionHsaId`, or a list of such objects. The members of the chosen one become claims by their names.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.conf import settings
from django.utils import timezone

from mailbox.models import Person, RememberedAssignment
from mailbox.models.person import subject_key

_MOST: Final = 100
# Swedish attributes (Sweden Connect) and the claims of the Swedish OIDC profile that say the same, so that
# one membership rule holds for both.
_OIDC_CLAIMS: Final = {
    "urn:oid:1.2.752.29.4.13": "https://id.oidc.se/claim/personalIdentityNumber",
    "urn:oid:1.2.752.201.3.1": "https://id.oidc.se/claim/orgAffiliation",
    "urn:oid:2.5.4.97": "https://id.oidc.se/claim/orgNumber",
    "urn:oid:2.5.4.10": "https://id.oidc.se/claim/orgName",
    "urn:oid:2.5.4.11": "https://id.oidc.se/claim/orgUnit",
    "urn:oid:2.16.840.1.113730.3.1.241": "name",
    "urn:oid:2.5.4.42": "given_name",
    "urn:oid:2.5.4.4": "family_name",
    "http://sambi.se/attributes/1/givenName": "given_name",
    "http://sambi.se/attributes/1/surname": "family_name",
}
# The members of an assignment that tell it from others, as people know it.
_LABELS: Final = ("commissionName", "healthCareUnitName", "healthCareProviderName", "orgName", "orgUnit")


@dataclass(frozen=True, slots=True)
class Assignment:
    """One assignment: `key` is all of it, `label` what people read, `detail` its identifier."""

    key: str
    label: str
    detail: str
    claims: Mapping[str, str]


def assignments_of(attributes: Mapping[str, Sequence[str]]) -> list[Assignment]:
    """The assignments of an assertion, each once; none where no attribute is configured."""
    values = attributes.get(settings.SDK_SAML_ASSIGNMENT_ATTRIBUTE, ())
    found = {each.key: each for value in values for each in _parsed(value)}
    return list(found.values())[:_MOST]


def claims_of(attributes: Mapping[str, Sequence[str]], chosen: Assignment | None) -> dict[str, Any]:
    """What membership rules are applied to: the attributes by both their names, and of several assignments
    the chosen one alone."""
    claims: dict[str, Any] = {name: list(values) for name, values in attributes.items()}
    if chosen is not None:
        claims[settings.SDK_SAML_ASSIGNMENT_ATTRIBUTE] = [chosen.key]
        claims.update({name: [value] for name, value in chosen.claims.items()})
    for name, claim in _OIDC_CLAIMS.items():
        if name in claims:
            claims.setdefault(claim, claims[name])
    return claims


def subject_of(claims: Mapping[str, Any]) -> str:
    """Who the person is; empty where the provider does not say, or says several."""
    values = set(claims.get(settings.SDK_SAML_PERSON_ATTRIBUTE, ()))
    return str(values.pop()) if len(values) == 1 else ""


def name_of(claims: Mapping[str, Any]) -> str:
    """The person's name."""
    parts = [*claims.get("name", ())[:1]] or [
        *claims.get("given_name", ())[:1],
        *claims.get("family_name", ())[:1],
    ]
    return " ".join(map(str, parts))


def suggestion(attributes: Mapping[str, Sequence[str]], choices: Sequence[Assignment]) -> str:
    """The key of the assignment that this person chose last; empty where there is none."""
    by_hash = {subject_key(each.key): each for each in choices}
    subjects = {subject_key(subject_of(claims_of(attributes, each))) for each in choices}
    rows = RememberedAssignment.objects.filter(
        person__subject_key__in=subjects, assignment_hash__in=by_hash
    ).order_by("-chosen_at")
    remembered = rows.first()
    return by_hash[remembered.assignment_hash].key if remembered is not None else ""


def remember(person: Person, chosen: Assignment) -> None:
    """Keep the choice, to suggest it at the next login."""
    RememberedAssignment.objects.update_or_create(
        person=person,
        defaults={"assignment_hash": subject_key(chosen.key), "chosen_at": timezone.now()},
    )


def _parsed(value: str) -> list[Assignment]:
    try:
        content = json.loads(value) if value.startswith(("{", "[")) else None
    except (ValueError, RecursionError):
        content = None
    objects = content if isinstance(content, list) else [content]
    found = [_of_object(each) for each in objects if isinstance(each, dict)]
    return found if len(found) == len(objects) else [Assignment(value, value, "", {})]


def _of_object(content: dict[str, Any]) -> Assignment:
    claims = {name: text for name, text in content.items() if isinstance(text, str) and text}
    names = [claims[name] for name in _LABELS if name in claims]
    ids = [text for name, text in claims.items() if name.endswith("HsaId")]
    label = " – ".join(names or ids or claims.values())
    return Assignment(
        json.dumps(claims, sort_keys=True, ensure_ascii=False), label, ", ".join(ids if names else []), claims
    )
