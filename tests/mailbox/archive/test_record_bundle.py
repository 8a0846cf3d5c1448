"""A record bundle holds a conversation whole, and its check finds whatever is changed."""

import hashlib
import io
import json
import os
import shutil
import subprocess
import zipfile
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import unquote

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.urls import reverse
from lxml import etree

from addressbook.models import FunctionAddress, Organisation
from mailbox import rendering
from mailbox.archive import check_bundle, file_name_of, page
from mailbox.archive.conversation_record import (
    messages_of,
    record_as_xml,
    registrations_of,
    sent_deliveries,
)
from mailbox.drafts import composer, draft_files, recipients
from mailbox.drafts.forms import DraftForm
from mailbox.models import AccessLogEntry, Conversation, Membership, Person
from mailbox.registration import entries
from tests.mailbox.build import send_now
from tests.world import federation, world
from transport.message_service.api import OutgoingState
from transport.message_service.models import Organisation as ServedOrganisation

__all__ = ["federation", "world"]
pytestmark = pytest.mark.xdist_group("federation-clients")
TEXT = "Vi **planerar** praktik.\n\n- vecka 50"
PDF = b"%PDF-1.7 en bilaga"
ODD_NAME = "../../etc/plan – å.pdf"
VERAPDF = Path(__file__).parent / "verapdf"


@pytest.fixture
def conversations(world) -> tuple[Conversation, Conversation]:
    """A message with a file that has gone the whole way, as its sender and as its recipient have it."""
    person, _ = Person.add("1", "Karin Svensson")
    for party in (world.sender, world.recipient):
        Membership.objects.create(person=person, mailbox=party.mailbox)
    organisation = Organisation.objects.create(
        book_id="1", participant_id=world.recipient.participant.value, name="Mottagarverket"
    )
    function = FunctionAddress.objects.create(
        book_id="1", organisation=organisation, identifier=world.recipient.mailbox.address, name="Praktik"
    )
    draft = composer.begin(world.sender.mailbox, person)
    draft = recipients.choose_recipient(draft.pk, draft.version, function, person)
    draft_files.attach(draft, SimpleUploadedFile("plan – å.pdf", PDF))
    attachment = draft.attachments.get()
    attachment.name = ODD_NAME
    attachment.save()
    values = {"subject": "Planering", "text": TEXT, "is_confidential": "1"}
    draft.refresh_from_db()
    send_now(draft.pk, draft.version, DraftForm.content_of(values), person)
    world.pump()
    sent = Conversation.objects.get(mailbox=world.sender.mailbox)
    return sent, Conversation.objects.get(mailbox=world.recipient.mailbox)


def taken_out(client, settings, conversation: Conversation) -> bytes:
    settings.ROOT_URLCONF = "sdkportal.urls"
    client.force_login(Person.objects.get(), backend="mailbox.accounts.login.EidBackend")
    response = client.post(reverse("record-bundle", args=[conversation.pk]))
    assert response.status_code == 200
    name = unquote(response.headers["Content-Disposition"])
    assert "arkivpaket" in name
    assert str(conversation.conversation_id) not in name
    assert "no-store" in response.headers["Cache-Control"]
    return b"".join(response.streaming_content)


def test_a_bundle_holds_the_conversation_whole(client, settings, conversations, tmp_path):
    for conversation in conversations:
        made = taken_out(client, settings, conversation)
        assert check_bundle(io.BytesIO(made)) == []
        with zipfile.ZipFile(io.BytesIO(made)) as archive:
            names = set(archive.namelist())
            account = json.loads(archive.read("metadata.json"))
            (message,) = account["messages"]
            folder = message["folder"]
            assert names == {
                "manifest.json",
                "metadata.json",
                "metadata.xml",
                "conversation.pdf",
                f"{folder}/envelope.xml",
                f"{folder}/transport-receipt.xml",
                f"{folder}/message-receipt.xml",
                f"{folder}/attachments/01-plan _ å.pdf",
            }
            assert archive.read(f"{folder}/attachments/01-plan _ å.pdf") == PDF
            told = etree.fromstring(archive.read("metadata.xml"))
        (attachment,) = [file for document in message["documents"] for file in document["attachments"]]
        assert attachment["sha256"] == hashlib.sha256(PDF).hexdigest()
        assert message["documents"][0]["texts"] == [TEXT]
        assert account["made_by"] == "Karin Svensson"
        assert told.findtext(".//{*}message_id") == message["message_id"]
        assert told.findtext(".//{*}texts/{*}item").startswith("Vi **planerar** praktik.")
    assert AccessLogEntry.objects.filter(what="record-bundle-made").count() == 2
    assert not any(Path(settings.SDK_WORK_DIR).iterdir())


def test_a_bundle_tells_what_was_registered_and_what_was_corrected(client, settings, conversations):
    sent, arrived = conversations
    person = Person.objects.get()
    wrong = entries.register(arrived.pk, person, entries.Entry("case", case_number="KS 2026/3117"))
    entries.correct(wrong, person, entries.Entry("case", case_number="KS 2026/3118"), "Fel siffra")
    minor = entries.Entry("minor", reason="Kopia för kännedom", retention_basis="Beslut 2024-12")
    entries.register(sent.pk, person, minor)
    made = taken_out(client, settings, arrived)
    assert check_bundle(io.BytesIO(made)) == []
    with zipfile.ZipFile(io.BytesIO(made)) as archive:
        record = json.loads(archive.read("metadata.json"))
        told = etree.fromstring(archive.read("metadata.xml"))
    earlier, current = record["registrations"]
    assert (earlier["case_number"], current["case_number"]) == ("KS 2026/3117", "KS 2026/3118")
    assert (earlier["ended"]["as"], earlier["ended"]["reason"]) == ("corrected", "Fel siffra")
    assert (current["kind"], current["registered_by"]) == ("case", "Karin Svensson")
    assert current["ended"] is None
    assert current["messages"] == [record["messages"][0]["message_id"]]
    assert told.findall(".//{*}case_number")[1].text == "KS 2026/3118"
    with zipfile.ZipFile(io.BytesIO(taken_out(client, settings, sent))) as archive:
        (registration,) = json.loads(archive.read("metadata.json"))["registrations"]
    assert (registration["kind"], registration["reason"]) == ("minor-importance", "Kopia för kännedom")
    assert registration["retention_basis"] == "Beslut 2024-12"


def test_the_page_tells_the_registrations(conversations):
    _, arrived = conversations
    person = Person.objects.get()
    entries.register(arrived.pk, person, entries.Entry("case", case_number="KS 2026/3118"))
    html = page.html_of(
        arrived,
        messages_of(arrived),
        {},
        registrations_of(arrived),
        organisation="Mottagarverket",
        made_by="Karin Svensson",
        made_at=datetime(2026, 7, 1, 22, 30, tzinfo=UTC),
    )
    assert html.count("KS 2026/3118") == 2
    assert "Registreringar" in html


def test_the_file_is_named_by_the_registered_number(conversations):
    _, arrived = conversations
    arrived.is_confidential = False
    person = Person.objects.get()
    entries.register(arrived.pk, person, entries.Entry("case", case_number="KS 2026/3118"))
    assert "KS 2026-3118" in file_name_of(arrived, datetime(2026, 7, 1, 22, 30, tzinfo=UTC))


@pytest.mark.parametrize(
    ("spoil", "fault"),
    [
        (lambda files: files.update({"conversation.pdf": b"%PDF another"}), ("conversation.pdf", "changed")),
        (lambda files: files.pop("metadata.xml"), ("metadata.xml", "missing")),
        (lambda files: files.update({"more.txt": b"more"}), ("more.txt", "not-listed")),
        (lambda files: files.update({"../up.txt": b"up"}), ("../up.txt", "unsafe-path")),
        (lambda files: files.pop("manifest.json"), ("manifest.json", "missing")),
        (lambda files: files.update({"manifest.json": b"{"}), ("manifest.json", "unreadable")),
    ],
    ids=["changed", "missing", "added", "leading out", "no manifest", "broken manifest"],
)
def test_what_is_changed_is_found(client, settings, conversations, spoil, fault):
    files = unpacked(taken_out(client, settings, conversations[0]))
    spoil(files)
    assert fault in [(found.path, found.code) for found in check_bundle(packed(files))]


def test_evidence_is_judged_though_the_manifest_agrees(client, settings, conversations):
    """Somebody who writes a manifest anew still cannot change what was signed."""
    files = unpacked(taken_out(client, settings, conversations[0]))
    folder = json.loads(files["metadata.json"])["messages"][0]["folder"]
    for name, change, what in (
        ("envelope.xml", lambda data: data.replace(b"0203:avsandare", b"0203:avsandarf"), "signature"),
        ("message-receipt.xml", lambda data: data.replace(b"ACCEPTED", b"REJECTED"), "signature"),
        ("envelope.xml", lambda data: files[f"{folder}/message-receipt.xml"], "of-another-message"),
    ):
        path = f"{folder}/{name}"
        spoilt = listed_anew({**files, path: change(files[path])})
        assert [(found.path, found.code) for found in check_bundle(packed(spoilt))] == [(path, what)]


def test_the_command_says_which_bundles_are_sound(client, settings, conversations, tmp_path, capsys):
    made = taken_out(client, settings, conversations[0])
    (tmp_path / "good.zip").write_bytes(made)
    (tmp_path / "cut.zip").write_bytes(made[: len(made) // 2])
    good, cut, away = (str(tmp_path / name) for name in ("good.zip", "cut.zip", "away.zip"))
    for files, code in (([good], 0), ([good, cut], 1), ([cut, away], 2)):
        with pytest.raises(SystemExit) as ended:
            call_command("check_record_bundle", *files)
        assert ended.value.code == code
    told = capsys.readouterr()
    assert f"{good}: sound" in told.out
    assert f"{cut}: -: is no ZIP file, or ends too early" in told.out
    assert f"{away}: cannot be read: No such file or directory" in told.err


@pytest.mark.whole
def test_the_page_is_pdf_a(client, settings, conversations, tmp_path):
    if shutil.which("mvn") is None or shutil.which("java") is None:
        if os.environ.get("CI"):
            pytest.fail("a JDK and Maven are needed to judge PDF/A")
        pytest.skip("a JDK and Maven are needed to judge PDF/A")
    page = tmp_path / "page.pdf"
    page.write_bytes(unpacked(taken_out(client, settings, conversations[0]))["conversation.pdf"])
    listing = tmp_path / "classpath"
    build = ["mvn", "-q", "-B", "-f", str(VERAPDF / "pom.xml"), "dependency:build-classpath"]
    subprocess.run([*build, f"-Dmdep.outputFile={listing}"], check=True, timeout=300)
    judge = ["java", "-cp", listing.read_text(), str(VERAPDF / "Validate.java"), str(page)]
    judged = {
        flavour: subprocess.run(
            [*judge, flavour], check=True, capture_output=True, text=True, timeout=120
        ).stdout.splitlines()
        for flavour in ("2u", "2a")
    }
    assert judged["2u"] == ["compliant 2u"]
    assert judged["2a"] != ["compliant 2a"], "a judge that finds nothing judges nothing"


def test_a_page_that_cannot_be_drawn_is_said_and_nothing_is_left(
    client, settings, conversations, monkeypatch
):
    def failing(*_):
        raise rendering.RenderingFailed("the time is up")

    monkeypatch.setattr(rendering, "render", failing)
    settings.ROOT_URLCONF = "sdkportal.urls"
    client.force_login(Person.objects.get(), backend="mailbox.accounts.login.EidBackend")
    response = client.post(reverse("record-bundle", args=[conversations[0].pk]), follow=True)
    assert "Arkivpaketet kunde inte göras" in response.content.decode()
    assert not AccessLogEntry.objects.filter(what="record-bundle-made").exists()
    assert not any(Path(settings.SDK_WORK_DIR).iterdir())


def test_characters_that_xml_cannot_hold_are_replaced():
    told = etree.fromstring(record_as_xml({"name": "a\x01b\ud800c\uffff\t\U0001f600"}))
    assert told.findtext("{*}name") == "a\ufffdb\ufffdc\ufffd\t\U0001f600"


def test_the_page_tells_states_in_words_times_in_swedish_time_and_the_organisation(conversations):
    sent, _ = conversations
    messages = messages_of(sent)
    deliveries = sent_deliveries(sent, messages)
    made_at = datetime(2026, 7, 1, 22, 30, tzinfo=UTC)
    html = page.html_of(
        sent,
        messages,
        deliveries,
        [],
        organisation="Avsändarverket",
        made_by="Karin Svensson",
        made_at=made_at,
    )
    assert "Avsändarverket (0203:avsandare" in html
    assert "2026-07-02 00:30" in html, "22:30 UTC is the next day in Sweden"
    assert "Mottaget av verksamheten" in html
    assert "Svensk tid" in html
    for state in OutgoingState:
        assert state.value not in html.replace(str(sent.conversation_id), "")
    (delivery,) = deliveries.values()
    for state in OutgoingState:
        waiting = replace(delivery, state=state, message_receipt_at=None)
        told = page._delivery_view(waiting)
        assert told.state
        assert "_" not in told.state


@pytest.mark.parametrize("is_confidential", [False, True])
def test_a_bundle_is_named_by_organisation_date_and_a_case_number_that_is_no_secret(
    conversations, is_confidential
):
    sent, arrived = conversations
    ServedOrganisation.objects.filter(participant_id=sent.mailbox.participant_id).update(name="Håbo / kommun")
    reference = {"root": "dnr", "value": "SN 2026/1031", "label": "Diarienummer"}
    personal = {"root": "1.2.752.129.2.1.3.1", "value": "191212121212", "label": "Personnummer"}
    message = sent.messages.get()
    message.sender_references = [personal, reference]
    message.save()
    sent.is_confidential = is_confidential
    name = file_name_of(sent, datetime(2026, 7, 1, 22, 30, tzinfo=UTC))
    assert "2026-07-02 0030" in name
    assert name.endswith(".zip")
    assert "kommun" in name
    assert ("SN 2026-1031" in name) is not is_confidential
    assert "1912" not in name
    assert str(sent.conversation_id) not in name
    assert "SN" not in file_name_of(arrived, datetime(2026, 7, 1, tzinfo=UTC))


def unpacked(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def packed(files: dict[str, bytes]) -> io.BytesIO:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return out


def listed_anew(files: dict[str, bytes]) -> dict[str, bytes]:
    manifest = json.loads(files["manifest.json"])
    for entry in manifest["files"]:
        data = files[entry["path"]]
        entry.update(size=len(data), sha256=hashlib.sha256(data).hexdigest())
    return {**files, "manifest.json": json.dumps(manifest).encode()}
