"""The register of functions comes back from its own files as it was, whatever its texts begin with."""

import json
from datetime import UTC, datetime

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from addressbook import register
from addressbook.models import OwnFunction
from mailbox.models import AccessLogEntry
from transport.message_service.models import Organisation

from .build import HERE, log_in, with_role

pytestmark = pytest.mark.django_db
TEXTS = [
    "- Bygglov",
    "@b",
    "=SUM(A1)",
    "+46 8 123",
    "'- Bygglov",
    "''=x",
    "'citat'",
    "'",
    "\uff1dx",
    "\u2212x",
    "|x",
    '"; -x',
    "Vanlig",
]


@pytest.fixture(autouse=True)
def administrator(client):
    Organisation.objects.create(participant_id=HERE, name="Håbo kommun")
    person = with_role("administrator")
    log_in(client, person)
    return person


def exported(client, form: str) -> bytes:
    response = client.get(reverse("administration-functions-file"), {"form": form})
    return b"".join(response.streaming_content) if response.streaming else response.content


def taken_in(client, form: str, content: bytes):
    upload = {"organisation": HERE, "file": SimpleUploadedFile(f"a.{form}", content)}
    return client.post(reverse("administration-functions-import"), upload)


def kept() -> list[tuple[object, ...]]:
    names = ("identifier", "name", "description", "categories", "search_words", "successor__identifier")
    return list(OwnFunction.objects.order_by("identifier").values_list(*names))


@pytest.mark.parametrize("form", ["csv", "json"])
def test_every_text_comes_back_as_it_was_written(client, form):
    for number, text in enumerate(TEXTS):
        OwnFunction.objects.create(
            participant_id=HERE,
            identifier=f"{text}{number}",
            name=text,
            description=text,
            categories=[
                {"system": "", "code": "", "name": text},
                {"system": "1.2", "code": "-A", "name": text},
                {"system": "", "code": "", "name": "A | B | C"},
            ],
            search_words=[text, "LSS"],
        )
    before, content = kept(), exported(client, form)
    # Into what there is, it changes nothing and adds nothing.
    assert taken_in(client, form, content).status_code == 302
    assert kept() == before
    assert AccessLogEntry.objects.get(what="functions-imported").details == {"added": 0, "changed": 0}
    OwnFunction.objects.all().delete()
    assert taken_in(client, form, content).status_code == 302
    assert kept() == before


def test_a_spreadsheet_shows_every_text_and_reckons_none(client):
    for number, text in enumerate(TEXTS):
        OwnFunction.objects.create(participant_id=HERE, identifier=f"sdk:{number}", name=text)
    names = [line.split(";")[1] for line in exported(client, "csv").decode().splitlines()[1:]]
    assert not [name for name in names if name.startswith(("=", "+", "-", "@", "\uff1d"))]


def test_a_closing_day_is_sweden_s_and_comes_back(client):
    successor = OwnFunction.objects.create(participant_id=HERE, identifier="@ny", name="Ny")
    OwnFunction.objects.create(
        participant_id=HERE,
        identifier="sdk:a",
        name="A",
        closed_at=datetime(2026, 6, 30, 22, 30, tzinfo=UTC),
        successor=successor,
    )
    content = exported(client, "csv")
    assert b";2026-07-01;" in content
    OwnFunction.objects.all().delete()
    taken_in(client, "csv", content)
    assert exported(client, "csv") == content
    assert OwnFunction.objects.get(identifier="sdk:a").successor.identifier == "@ny"


@pytest.mark.parametrize("field", ["identifier", "name", "description"])
@pytest.mark.parametrize("sign", ["\\ud800", "\\u0000", "\\u001b"])
def test_half_a_character_or_a_control_is_refused_by_its_place(client, field, sign):
    given = {"identifier": "a", "name": "A", field: "x" + "SIGN"}
    content = json.dumps({"data": [{"attributes": given}]}).replace("SIGN", sign).encode()
    response = taken_in(client, "json", content)
    assert response.status_code == 422
    assert "Funktion nummer 1" in response.content.decode()
    with pytest.raises(register.FileRefused) as refused:
        register.read_file(content)
    assert refused.value.reason == f"signs-{field}"


@pytest.mark.parametrize(
    "more", [{"categories": [{"name": "SIGN"}]}, {"categories": ["SIGN"]}, {"searchWords": ["aSIGN"]}]
)
def test_half_a_character_in_what_describes_a_function_is_refused_too(client, more):
    given = {"identifier": "a", "name": "A", **more}
    content = json.dumps({"data": [{"attributes": given}]}).replace("SIGN", "\\udfff").encode()
    assert taken_in(client, "json", content).status_code == 422
    assert not OwnFunction.objects.exists()
