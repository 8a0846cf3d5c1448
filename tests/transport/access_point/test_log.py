"""The transfer log: what C3.4.6 3.4.1 asks for, found by any id, written out, and kept."""

import base64
import csv
import io
import json
import uuid
from datetime import timedelta

import pytest
from cryptography import x509
from django.core.management import call_command
from django.urls import reverse
from django.utils import timezone

from mailbox.models import OrganisationRole, Person
from testbed.authorities import load_certificate
from transport.access_point import outbound, transfer_log
from transport.access_point.apps import log_is_kept
from transport.access_point.models import LoggedCertificate, OutboundTransfer, TransferEvent
from transport.access_point.transfer_log import COLUMNS, Question, events
from transport.protocol.as4.security import PROFILE
from transport.protocol.as4.signals import verify_signal
from transport.protocol.certificates import fingerprint
from transport.protocol.xml.safe_xml import parse

from .build import a_transfer

pytestmark = pytest.mark.xdist_group("federation")


@pytest.fixture
def exchanged(world) -> OutboundTransfer:
    """A transfer that has gone from our access point to itself."""
    transfer = a_transfer(world, b"<envelope>Hemligt</envelope>")
    outbound.send(transfer.pk)
    transfer.refresh_from_db()
    assert transfer.state == "DELIVERED"
    return transfer


def test_both_directions_log_what_the_information_model_asks_for(exchanged, world):
    delivered = TransferEvent.objects.get(kind="DELIVERED")
    received = TransferEvent.objects.get(kind="RECEIVED")
    own = load_certificate_of(world)
    for event in (delivered, received):
        assert event.sending_access_point == event.receiving_access_point == world.access_point
        assert (event.sender, event.recipient) == (exchanged.sender, exchanged.recipient)
        assert event.as4_message_id == exchanged.as4_message_id
        assert event.conversation_id == exchanged.conversation_id
        assert event.certificate == fingerprint(own)
        assert timezone.now() - event.at < timedelta(minutes=1)
    kept = LoggedCertificate.objects.get()
    assert x509.load_pem_x509_certificate(kept.certificate.encode()) == own
    receipt = verify_signal(parse(bytes(exchanged.receipt)), PROFILE)
    assert base64.b64decode(delivered.signature) == receipt.value
    assert len(base64.b64decode(received.signature)) == 256
    assert received.signature != delivered.signature


def load_certificate_of(world) -> x509.Certificate:
    return load_certificate(world.federation.add_access_point(world.access_point, world.url).certificate)


def test_nothing_of_the_content_is_in_the_log(exchanged):
    printed = io.StringIO()
    call_command("transfer_log", stdout=printed)
    assert exchanged.as4_message_id in printed.getvalue()
    assert "Hemligt" not in printed.getvalue()
    assert not [field for field in TransferEvent._meta.get_fields() if field.is_relation]


@pytest.mark.parametrize(
    "name",
    [
        *("as4_message_id", "conversation_id", "envelope_id", "sender", "recipient", "certificate"),
        *("sending_access_point", "receiving_access_point"),
    ],
)
def test_events_are_found_by_any_id(exchanged, name):
    value = getattr(TransferEvent.objects.get(kind="DELIVERED"), name)
    assert value
    found = events(Question(value))
    assert "DELIVERED" in {event.kind for event in found}
    assert {getattr(event, name) for event in found} <= {value, exchanged.recipient}
    assert not events(Question(f"{value}x"))


def test_events_are_found_by_time_and_kind(exchanged):
    TransferEvent.objects.filter(kind="SENT").update(at=timezone.now() - timedelta(days=10))
    week = timezone.now() - timedelta(days=7)
    assert {event.kind for event in events(Question(since=week))} == {"DELIVERED", "RECEIVED"}
    assert {event.kind for event in events(Question(until=week))} == {"SENT"}
    assert {event.kind for event in events(Question(kind="RECEIVED"))} == {"RECEIVED"}


def test_the_log_is_written_as_csv_and_as_json_lines(exchanged):
    csv_text, json_text = io.StringIO(), io.StringIO()
    call_command("transfer_log", stdout=csv_text)
    call_command("transfer_log", "--format", "jsonl", stdout=json_text)
    rows = list(csv.DictReader(io.StringIO(csv_text.getvalue()), delimiter=";"))
    lines = [json.loads(line) for line in json_text.getvalue().splitlines()]
    assert (
        [row["kind"] for row in rows] == [line["kind"] for line in lines] == ["SENT", "RECEIVED", "DELIVERED"]
    )
    assert tuple(rows[0]) == tuple(lines[0]) == COLUMNS
    assert rows[0]["at"].endswith("+00:00")
    only = io.StringIO()
    call_command("transfer_log", exchanged.envelope_id, "--kind", "DELIVERED", stdout=only)
    assert len(only.getvalue().splitlines()) == 2


@pytest.mark.django_db
def test_an_id_that_looks_like_a_formula_is_written_as_text():
    TransferEvent.objects.create(kind="REFUSED", as4_message_id='=HYPERLINK("http://elsewhere")')
    printed = io.StringIO()
    call_command("transfer_log", stdout=printed)
    (row,) = csv.DictReader(io.StringIO(printed.getvalue()), delimiter=";")
    assert row["as4_message_id"].startswith("'=")


@pytest.mark.django_db
def test_an_id_with_a_separator_stays_in_its_cell_where_spreadsheets_are_swedish():
    TransferEvent.objects.create(kind="RECEIVED", as4_message_id='a;=HYPERLINK("http://elsewhere")')
    printed = io.StringIO()
    call_command("transfer_log", stdout=printed)
    (row,) = csv.reader(printed.getvalue().splitlines()[1:], delimiter=";")
    assert 'a;=HYPERLINK("http://elsewhere")' in row
    assert not any(cell.startswith("=") for cell in row)


@pytest.mark.django_db
def test_the_log_is_kept_for_twelve_months_and_then_removed(settings):
    assert settings.SDK_TRANSFER_LOG_DAYS >= 366
    assert log_is_kept() == []
    for age in (365, 500):
        event = TransferEvent.objects.create(kind="SENT", cause=str(age), certificate=str(age))
        TransferEvent.objects.filter(pk=event.pk).update(at=timezone.now() - timedelta(days=age))
        LoggedCertificate.objects.create(fingerprint=str(age), certificate="PEM")
    assert transfer_log.remove_older_than(settings.SDK_TRANSFER_LOG_DAYS) == 1
    assert TransferEvent.objects.get().cause == "365"
    assert LoggedCertificate.objects.get().fingerprint == "365"
    settings.SDK_TRANSFER_LOG_DAYS = 300
    assert [error.id for error in log_is_kept()] == ["access_point.E001"]


@pytest.fixture
def page(client, db):
    """The page's address, for an administrator of Håbo."""
    person, _ = Person.add(uuid.uuid4().hex, "Anna Admin")
    OrganisationRole.objects.create(person=person, participant_id="0203:habo.se")
    client.force_login(person, backend="mailbox.accounts.login.EidBackend")
    for number in range(60):
        TransferEvent.objects.create(kind="SENT", sender="0203:habo.se", as4_message_id=f"id-{number}@ap")
    TransferEvent.objects.create(kind="RECEIVED", recipient="0203:habo.se", as4_message_id="to-us@ap")
    TransferEvent.objects.create(kind="SENT", sender="0203:annan.se", as4_message_id="theirs@ap")
    return reverse("transfer-log")


def test_the_page_shows_one_s_own_organisation_a_page_at_a_time(page, client):
    first = client.get(page)
    assert len(first.context["events"]) == 50
    assert "theirs@ap" not in first.content.decode()
    second = client.post(page, {"before": first.context["next"]})
    assert len(second.context["events"]) == 11
    assert second.context["next"] is None
    assert not {row.event.pk for row in first.context["events"]} & {
        row.event.pk for row in second.context["events"]
    }


def test_the_page_finds_by_id_and_says_what_is_wrong_with_a_date(page, client):
    found = client.post(page, {"id": "to-us@ap"})
    assert [row.event.as4_message_id for row in found.context["events"]] == ["to-us@ap"]
    assert client.post(page, {"id": "theirs@ap"}).context["events"] == []
    wrong = client.post(page, {"since": "i går", "id": "to-us@ap"})
    assert wrong.status_code == 422
    assert "Skriv datumet som åååå-mm-dd." in wrong.content.decode()
    assert 'value="to-us@ap"' in wrong.content.decode()
    tomorrow = (timezone.localtime() + timedelta(days=1)).date().isoformat()
    assert client.post(page, {"since": tomorrow}).context["events"] == []
    assert "Inga händelser" in client.post(page, {"since": tomorrow}).content.decode()


@pytest.mark.parametrize("suffix", ["csv", "jsonl"])
def test_the_page_gives_what_was_found_as_a_file(page, client, suffix):
    response = client.post(page, {"export": suffix, "kind": "RECEIVED"})
    assert f"overforingslogg.{suffix}" in response.headers["Content-Disposition"]
    text = b"".join(response.streaming_content).decode()
    assert "to-us@ap" in text
    assert "id-1@ap" not in text
    everything = b"".join(client.post(page, {"export": suffix}).streaming_content).decode()
    assert "theirs@ap" not in everything
    assert len(everything.splitlines()) == 61 + (suffix == "csv")
