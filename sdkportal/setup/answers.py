"""What setup has to know: asked for on a terminal, or taken from a file in TOML."""

import getpass
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from transport.names import is_name
from transport.protocol.identifiers import ParticipantId, ParticipantIdInvalid


class AnswersWrong(Exception):
    """An answer that cannot be used; the text says which, without repeating a secret."""


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who may log in from the start. `subject` is the e-ID's claim, usually a personal number."""

    subject: str = field(repr=False)
    name: str
    is_administrator: bool = False
    is_auditor: bool = False
    is_manager: bool = False
    mailboxes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Organisation:
    """An organisation of the node. `mailboxes` are function addresses with their names."""

    participant: ParticipantId
    name: str
    number: str = ""
    mailboxes: Mapping[str, str] = field(default_factory=dict)
    people: tuple[Person, ...] = ()


@dataclass(frozen=True, slots=True)
class Answers:
    """The settings by their variables, the access point's name and operator, and the organisations."""

    settings: Mapping[str, str]
    access_point: str
    operator: str
    organisations: tuple[Organisation, ...]


@dataclass(frozen=True, slots=True)
class _Question:
    variable: str
    text: str
    default: str = ""
    is_secret: bool = False


_QUESTIONS: Final = (
    _Question("SDK_ALLOWED_HOSTS", "Host names of pages and access point, comma-separated"),
    _Question("SDK_PUBLIC_URL", "Where people open the pages (https://...)"),
    _Question(
        "SDK_DATABASE_URL",
        "Database, as the service's own role",
        "postgresql:///sdkportal?host=/var/run/postgresql",
        is_secret=True,
    ),
    _Question("SDK_BROKER_URL", "Broker (Redis or Valkey)", "redis://localhost:6379/0"),
    _Question("SDK_BROKER_PASSWORD", "The broker's password", is_secret=True),
    _Question("SDK_SML_ZONE", "The federation's SML zone"),
    _Question("SDK_ADDRESS_BOOK_URL", "The federation's address book (ends with /addressbook/api/)"),
    _Question("SDK_OIDC_ISSUER", "The e-ID provider's issuer (https://...); empty for SAML alone"),
    _Question("SDK_OIDC_CLIENT_ID", "This node's client id there", "sdkportal"),
    _Question("SDK_OIDC_CLIENT_SECRET", "Its client secret; empty for private_key_jwt", is_secret=True),
    _Question("SDK_MAIL_HOST", "Mail server; empty for none"),
    _Question("SDK_OPERATOR_MAIL", "Who is mailed before certificates end"),
)
_MUST_BE_SET: Final = ("SDK_ALLOWED_HOSTS", "SDK_DATABASE_URL")
_MUST_BE_URLS: Final = {
    "SDK_PUBLIC_URL": ("https",),
    "SDK_DATABASE_URL": ("postgresql", "postgres"),
    "SDK_BROKER_URL": ("redis", "rediss"),
    "SDK_OIDC_ISSUER": ("https",),
}


def asked(ask: Callable[[str], str] = input, ask_secretly: Callable[[str], str] = getpass.getpass) -> Answers:
    """Ask somebody at a terminal. Raises `AnswersWrong`."""
    settings = {}
    for question in _QUESTIONS:
        default = f" [{question.default}]" if question.default else ""
        answer = (ask_secretly if question.is_secret else ask)(f"{question.text}{default}: ").strip()
        if answer or question.default:
            settings[question.variable] = answer or question.default
    access_point = ask("The access point's name, by which others know it (CN): ").strip()
    name = ask("Name of the first organisation: ").strip()
    participant = ask("Its participant identifier (0203:kommun.se): ").strip()
    number = ask("Its organisation number, if it is to be in its certificates: ").strip()
    people = []
    for role in ("administrator", "auditor"):
        who = ask(f"Name of the first {role}; empty for none: ").strip()
        if who:
            subject = ask_secretly(f"Personal number of {who} (12 digits): ").strip()
            people.append({"name": who, "subject": subject, role: True})
    organisation = {"participant": participant, "name": name, "number": number, "people": people}
    return understood(
        {
            "settings": settings,
            "access_point": {"name": access_point, "operator": name},
            "organisations": [organisation],
        }
    )


def read(path: Path) -> Answers:
    """The answers of a file; docs/production.md has its form. Raises `AnswersWrong`."""
    try:
        return understood(tomllib.loads(path.read_text()))
    except OSError as error:
        raise AnswersWrong(f"{path} cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise AnswersWrong(f"{path} is not TOML: {error}") from None


def understood(told: Mapping[str, Any]) -> Answers:
    """The answers that were told, checked. Raises `AnswersWrong`."""
    unknown = set(told) - {"settings", "access_point", "organisations"}
    if unknown:
        raise AnswersWrong(f"{sorted(unknown)[0]} is none of settings, access_point, organisations")
    settings = {name: str(value) for name, value in _table(told, "settings").items()}
    for name, value in settings.items():
        _check_setting(name, value)
    for name in _MUST_BE_SET:
        if not settings.get(name):
            raise AnswersWrong(f"{name} has to be set")
    access_point = _table(told, "access_point")
    organisations = told.get("organisations", [])
    if not isinstance(organisations, list) or not organisations:
        raise AnswersWrong("organisations: name one at least")
    return Answers(
        settings,
        _name(access_point, "name", "access_point"),
        _name(access_point, "operator", "access_point", may_be_empty=True),
        tuple(_organisation(each) for each in organisations),
    )


def _check_setting(name: str, value: str) -> None:
    if not name.startswith("SDK_") or not name.isidentifier():
        raise AnswersWrong(f"settings: {name} is not the name of a setting")
    if not value.isprintable() or "'" in value:
        raise AnswersWrong(
            f"settings: {name} has a line break, an apostrophe or another sign that cannot be written"
        )
    schemes = _MUST_BE_URLS.get(name)
    if value and schemes and urlsplit(value).scheme not in schemes:
        raise AnswersWrong(f"settings: {name} begins with {schemes[0]}://")


def _organisation(told: object) -> Organisation:
    if not isinstance(told, dict):
        raise AnswersWrong("organisations: each is a table")
    try:
        participant = ParticipantId.parse(str(told.get("participant", "")))
    except ParticipantIdInvalid:
        raise AnswersWrong("organisations: participant is like 0203:kommun.se") from None
    where = str(participant.value)
    mailboxes = {
        _name(each, "address", where): _name(each, "name", where)
        for each in _tables(told, "mailboxes", where)
    }
    people = tuple(_person(each, where, mailboxes) for each in _tables(told, "people", where))
    number = _name(told, "number", where, may_be_empty=True)
    return Organisation(participant, _name(told, "name", where), number, mailboxes, people)


def _person(told: dict[str, Any], where: str, mailboxes: Mapping[str, str]) -> Person:
    name = _name(told, "name", where)
    chosen = told.get("mailboxes", [])
    if not isinstance(chosen, list) or any(address not in mailboxes for address in chosen):
        raise AnswersWrong(f"{where}: {name} is in a mailbox that is not in the file")
    return Person(
        _name(told, "subject", f"{where}, {name}"),
        name,
        is_administrator=told.get("administrator") is True,
        is_auditor=told.get("auditor") is True,
        is_manager=told.get("manager") is True,
        mailboxes=tuple(chosen),
    )


def _table(told: Mapping[str, Any], key: str) -> dict[str, Any]:
    table = told.get(key, {})
    if not isinstance(table, dict):
        raise AnswersWrong(f"{key} is a table")
    return table


def _tables(told: Mapping[str, Any], key: str, where: str) -> list[dict[str, Any]]:
    tables = told.get(key, [])
    if not isinstance(tables, list) or not all(isinstance(each, dict) for each in tables):
        raise AnswersWrong(f"{where}: {key} is a list of tables")
    return tables


def _name(told: Mapping[str, Any], key: str, where: str, *, may_be_empty: bool = False) -> str:
    value = told.get(key, "")
    if not isinstance(value, str) or not is_name(value) or not (value.strip() or may_be_empty):
        raise AnswersWrong(f"{where}: {key} is missing or not a line of text")
    return value.strip()
