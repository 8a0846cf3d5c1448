"""The register of function addresses: kept, taken in and out, held against the federation's address book."""

import json

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse
from django.utils import timezone

from addressbook import register
from addressbook.models import FunctionAddress, Organisation, OwnFunction
from mailbox.models import AccessLogEntry, FunctionMailbox
from transport.message_service.models import Organisation as OwnOrganisation

from .build import HERE, log_in, with_role

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def administrator(client):
    OwnOrganisation.objects.create(participant_id=HERE, name="Håbo kommun")
    person = with_role("administrator")
    log_in(client, person)
    return person


def own(identifier: str = "sdk:a", **fields: object) -> OwnFunction:
    values = {"name": "Mottagning", **fields}
    return OwnFunction.objects.create(participant_id=HERE, identifier=identifier, **values)


def in_the_book(identifier: str = "sdk:a", **fields: object) -> FunctionAddress:
    organisation, _ = Organisation.objects.get_or_create(
        book_id="1", defaults={"participant_id": HERE, "name": "Håbo"}
    )
    values = {"name": "Mottagning", **fields}
    return FunctionAddress.objects.create(
        book_id=identifier, organisation=organisation, identifier=identifier, **values
    )


def refused(content: str | bytes) -> tuple[int, str]:
    with pytest.raises(register.FileRefused) as caught:
        register.read_file(content if isinstance(content, bytes) else content.encode())
    return caught.value.row, caught.value.reason


def test_a_function_is_created_described_and_categorised(client):
    form = {
        "organisation": HERE,
        "identifier": "sdk:ny",
        "name": "Ny funktion",
        "description": "Tar emot ansökningar",
        "categories": "1.2.752.1 | A1 | Socialtjänst\r\nSkola",
        "search_words": "bistånd\r\n\r\nLSS",
    }
    assert client.post(reverse("administration-functions"), form).status_code == 302
    function = OwnFunction.objects.get()
    assert function.categories == [
        {"system": "1.2.752.1", "code": "A1", "name": "Socialtjänst"},
        {"system": "", "code": "", "name": "Skola"},
    ]
    assert function.search_words == ["bistånd", "LSS"]
    page = client.get(reverse("administration-function", args=[function.pk])).content.decode()
    assert "1.2.752.1 | A1 | Socialtjänst\nSkola" in page
    assert client.post(reverse("administration-functions"), form).context["errors"] == {
        "identifier": "Funktionsadressen finns redan."
    }


def test_what_is_wrong_is_told_at_the_field_and_what_was_written_is_kept(client):
    form = {"organisation": HERE, "identifier": "", "name": "Namn", "description": "Beskrivet"}
    response = client.post(reverse("administration-functions"), form)
    assert response.status_code == 422
    assert set(response.context["errors"]) == {"identifier"}
    assert "Beskrivet" in response.content.decode()


def test_a_function_of_another_organisation_is_not_one_s_own(client):
    theirs = OwnFunction.objects.create(participant_id="0203:annan.se", identifier="x", name="X")
    assert client.get(reverse("administration-function", args=[theirs.pk])).status_code == 404
    form = {"organisation": "0203:annan.se", "identifier": "y", "name": "Y"}
    assert client.post(reverse("administration-functions"), form).status_code == 422
    file = SimpleUploadedFile("a.csv", b"identifier;name\ny;Y\n")
    client.post(reverse("administration-functions-import"), {"organisation": "0203:annan.se", "file": file})
    assert OwnFunction.objects.count() == 1


def test_closing_names_a_successor_and_stops_the_mailbox(client):
    old, new = own("sdk:old"), own("sdk:new")
    mailbox = FunctionMailbox.objects.create(participant_id=HERE, address="sdk:old", name="Gammal")
    client.post(reverse("administration-function-close", args=[old.pk]), {"successor": new.pk})
    old.refresh_from_db()
    mailbox.refresh_from_db()
    assert old.closed_at
    assert old.successor == new
    assert not mailbox.is_open
    assert AccessLogEntry.objects.filter(what="function-closed").exists()


@pytest.mark.parametrize("unfit", ["itself", "closed", "elsewhere"])
def test_a_successor_is_another_open_function_of_the_organisation(client, administrator, unfit):
    from mailbox.administration import functions

    function = own()
    successor = {
        "itself": lambda: function,
        "closed": lambda: own("sdk:b", closed_at=timezone.now()),
        "elsewhere": lambda: OwnFunction.objects.create(participant_id="x", identifier="x", name="X"),
    }[unfit]()
    with pytest.raises(functions.SuccessorUnfit):
        functions.close(administrator, function, successor)
    function.refresh_from_db()
    assert function.closed_at is None


@pytest.mark.parametrize("form", ["csv", "json"])
def test_what_is_taken_out_can_be_taken_in_again(client, form):
    own(
        "sdk:a",
        description="En; två\nrader",
        categories=[{"system": "1.2", "code": "A", "name": "Vård"}],
        search_words=["LSS", "bistånd"],
    )
    own("sdk:b", name="Andra")
    before = list(OwnFunction.objects.order_by("identifier").values_list("identifier", "name", "description"))
    response = client.get(reverse("administration-functions-file"), {"form": form})
    content = b"".join(response.streaming_content) if response.streaming else response.content
    entries = {entry.identifier: entry for entry in register.read_file(content)}
    assert entries["sdk:a"].categories == ({"system": "1.2", "code": "A", "name": "Vård"},)
    assert entries["sdk:a"].search_words == ("LSS", "bistånd")
    OwnFunction.objects.all().delete()
    upload = {"organisation": HERE, "file": SimpleUploadedFile(f"a.{form}", content)}
    client.post(reverse("administration-functions-import"), upload)
    after = OwnFunction.objects.order_by("identifier").values_list("identifier", "name", "description")
    assert list(after) == before


def test_what_is_closed_and_its_successors_are_taken_in_again(client):
    newest = own("sdk:c", name="Tredje")
    between = own("sdk:b", name="Andra", closed_at=timezone.now(), successor=newest)
    own("sdk:a", closed_at=timezone.now(), successor=between)
    own("sdk:d", name="Utan", closed_at=timezone.now())
    response = client.get(reverse("administration-functions-file"))
    content = b"".join(response.streaming_content)
    OwnFunction.objects.all().delete()
    for _ in range(2):
        upload = {"organisation": HERE, "file": SimpleUploadedFile("a.csv", content)}
        assert client.post(reverse("administration-functions-import"), upload).status_code == 302
    told = [
        (one.identifier, one.closed_at is not None, str(one.successor or ""))
        for one in OwnFunction.objects.order_by("identifier").select_related("successor")
    ]
    assert told == [
        ("sdk:a", True, "Andra"),
        ("sdk:b", True, "Tredje"),
        ("sdk:c", False, ""),
        ("sdk:d", True, ""),
    ]
    assert AccessLogEntry.objects.filter(what="function-closed").count() == 3


def test_a_file_with_a_successor_that_is_not_there_changes_nothing(client):
    own("sdk:a")
    file = SimpleUploadedFile(
        "a.csv", b"identifier;name;closed;successor\nsdk:a;A;2026-01-01;sdk:x\nsdk:n;N;;\n"
    )
    url = reverse("administration-functions-import")
    page = client.post(url, {"organisation": HERE, "file": file}, follow=True).content.decode()
    assert "En efterträdare ska vara en annan öppen funktion" in page
    assert list(OwnFunction.objects.values_list("identifier", "name", "closed_at")) == [
        ("sdk:a", "Mottagning", None)
    ]


def test_the_federation_s_form_has_no_function_that_is_closed(client):
    own("sdk:a")
    own("sdk:b", closed_at=timezone.now())
    data = json.loads(client.get(reverse("administration-functions-file"), {"form": "json"}).content)["data"]
    assert [item["attributes"]["identifier"] for item in data] == ["sdk:a"]


def test_the_json_form_is_the_federation_s(client):
    own("sdk:a", description="Beskrivning", search_words=["LSS"])
    data = json.loads(client.get(reverse("administration-functions-file"), {"form": "json"}).content)["data"]
    assert data[0]["type"] == "addresses"
    assert data[0]["attributes"]["identifier"] == "sdk:a"
    assert data[0]["relationships"]["parent"]["data"]["type"] == "organizations"


def test_taking_in_changes_what_differs_adds_what_is_new_and_leaves_the_rest(client):
    own("sdk:a", name="Gammalt namn")
    own("sdk:c", name="Orörd")
    file = SimpleUploadedFile("a.csv", b"identifier;name\nsdk:a;Nytt namn\nsdk:b;Ny\n")
    client.post(reverse("administration-functions-import"), {"organisation": HERE, "file": file})
    names = dict(OwnFunction.objects.values_list("identifier", "name"))
    assert names == {"sdk:a": "Nytt namn", "sdk:b": "Ny", "sdk:c": "Orörd"}


def in_json(*names: str) -> str:
    """A file in the federation's form; a function without a name has the address `b`."""
    items = [{"attributes": {"identifier": name or "b", "name": name}} for name in names]
    return json.dumps({"data": items})


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("identifier;name\na;A\n;B\n", (3, "no-identifier")),
        ("identifier;name\na;A\nb;\n", (3, "no-name")),
        ("identifier;name\na;A\na;B\n", (3, "twice")),
        (f"identifier;name\n{'a' * 501};A\n", (2, "long-identifier")),
        ('identifier;name\n\na;"A\nB"\nb;\n', (4, "no-name")),
        ('identifier;name\na;A\nb;"B\nc;C\n', (3, "unreadable")),
        ('identifier;name\na;A\nb;"B" C\n', (3, "unreadable")),
        ("identifier;name\na;A;;\nb;B;C\n", (3, "too-many-cells")),
        ("namn;adress\na;b\n", (0, "columns")),
        (b"identifier;name\n\xff;A\n", (0, "not-utf-8")),
        ("{", (0, "unreadable")),
        ('{"data": 1}', (0, "unreadable")),
        ('{"data": [1]}', (1, "unreadable")),
        ('{"data": [{"attributes": 1}]}', (1, "unreadable")),
        (in_json("a", ""), (2, "no-name")),
        (in_json("a", "a"), (2, "twice")),
        ('{"data": [{"attributes": {"name": "A"}}]}', (1, "no-identifier")),
        ("", (0, "columns")),
    ],
)
def test_a_file_that_is_not_of_its_form_is_refused_by_row_and_reason(content, expected):
    assert refused(content) == expected


def test_a_file_is_taken_in_whole_or_not_at_all(client):
    file = SimpleUploadedFile("a.csv", b"identifier;name\na;A\n;B\n")
    page = client.post(
        reverse("administration-functions-import"), {"organisation": HERE, "file": file}, follow=True
    )
    assert "Rad 3: Funktionsadressen saknas. Inget har lästs in." in page.content.decode()
    assert not OwnFunction.objects.exists()


def test_the_difference_tells_what_to_do_in_the_federation_s_address_book(client):
    same, new = own("sdk:same"), own("sdk:new")
    changed = own("sdk:changed", name="Nytt namn", search_words=["LSS"])
    closed = own("sdk:closed", closed_at=timezone.now())
    own("sdk:closed-and-gone", closed_at=timezone.now())
    for identifier in ("sdk:same", "sdk:changed", "sdk:closed", "sdk:unknown"):
        in_the_book(identifier)
    in_the_book("sdk:gone", gone_at=timezone.now())
    found = register.difference(HERE)
    assert found.to_register == [new]
    assert [(one, fields) for one, _, fields in found.to_change] == [(changed, ["name", "search_words"])]
    assert [(theirs.identifier, one) for theirs, one in found.to_remove] == [
        ("sdk:closed", closed),
        ("sdk:unknown", None),
    ]
    assert found.same_count == 1
    page = client.get(reverse("administration-functions-difference")).content.decode()
    for text in ("sdk:new", "sdk:changed", "namn, sökord", "sdk:unknown"):
        assert text in page
    assert same.identifier not in page


def test_an_empty_register_begins_with_the_mailboxes_that_live(client):
    """Else the comparison would have every live function removed from the federation's address book."""
    mailbox = FunctionMailbox.objects.create(participant_id=HERE, address="sdk:a", name="Brevlådans namn")
    FunctionMailbox.objects.create(participant_id=HERE, address="sdk:b", name="Ej registrerad")
    FunctionMailbox.objects.create(participant_id=HERE, address="sdk:c", name="Stängd", is_open=False)
    in_the_book("sdk:a", description="Tar emot", categories=["Skola"], search_words=["LSS"])
    in_the_book("sdk:gammal", name="Gammal")
    page = client.get(reverse("administration-functions-difference"))
    difference = page.context["found"][0].difference
    assert [theirs.identifier for theirs, _own in difference.to_remove] == ["sdk:gammal"]
    assert [function.identifier for function in difference.to_register] == ["sdk:b"]
    assert difference.same_count == 1
    function = OwnFunction.objects.get(identifier=mailbox.address)
    assert (function.name, function.description, function.search_words) == ("Mottagning", "Tar emot", ["LSS"])
    assert not OwnFunction.objects.filter(identifier="sdk:c").exists()


def test_a_register_that_somebody_has_begun_is_left_as_it_is(client):
    own("sdk:x")
    FunctionMailbox.objects.create(participant_id=HERE, address="sdk:a", name="Mottagning")
    client.get(reverse("administration-functions-difference"))
    assert [function.identifier for function in OwnFunction.objects.all()] == ["sdk:x"]
