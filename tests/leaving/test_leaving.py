"""An organisation leaves: another installation has what was there, and nothing of it is left behind."""

import hashlib
import io
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from django.apps import apps
from django.core.files.storage import default_storage
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.urls import reverse
from django.utils import timezone

from addressbook.models import FunctionAddress
from addressbook.models import Organisation as AddressBookOrganisation
from mailbox import access_log
from mailbox.archive.verification import check_bundle
from mailbox.drafts import composer, recipients
from mailbox.drafts.forms import DraftForm
from mailbox.models import (
    AccessLogEntry,
    ArrivalRule,
    Attachment,
    Conversation,
    Draft,
    FunctionMailbox,
    Label,
    Membership,
    Message,
    Note,
    OrganisationRole,
    Person,
)
from mailbox.search import index
from sdkportal.leaving import importing, manifests
from sdkportal.leaving.belongings import Kind, exported_rows, labels, model_of
from sdkportal.leaving.rows import as_json, exported_fields
from sdkportal.leaving.sealed_files import identities_in, line_of, lines_of, opened, recipients_in, seal
from tests.mailbox import build
from tests.mailbox.build import a_member, log_in
from transport.message_service.models import Event, IncomingMessage, Organisation, OutgoingMessage
from transport.message_service.organisations.organisation_keys import opening_keys
from transport.protocol.sdk_message.message import BytesContent, File
from transport.storage.blobs import remove_orphaned
from transport.storage.encryption.models import DataKey

from .made_up_rows import MORNING, make_up

pytestmark = pytest.mark.django_db(transaction=True)
HABO = "0203:habo.se"
OTHER = "0203:af.se"
PDF = b"%PDF-1.7 " + b"Journalanteckning om Kastanjemannen. " * 5000


def arrives(mailbox: FunctionMailbox, **changes) -> Message:
    with transaction.atomic():
        return build.arrives(mailbox, **changes)


def run(command: str, *arguments, **options) -> str:
    out = io.StringIO()
    call_command(command, *arguments, stdout=out, stderr=io.StringIO(), **options)
    return out.getvalue()


def refused(command: str, *arguments, **options) -> str:
    with pytest.raises(CommandError) as error:
        run(command, *arguments, **options)
    return str(error.value)


def export(places, participant: str = HABO, **options) -> str:
    return run("export_organisation", participant, str(places.export), public_key=places.public, **options)


def imported(places, **options) -> str:
    return run("import_organisation", str(places.export), key=places.private, **options)


def not_imported(places, **options) -> str:
    return refused("import_organisation", str(places.export), key=places.private, **options)


def erase(participant: str = HABO, **options) -> str:
    return run("erase_organisation", participant, erase=True, confirm=participant, by="Eva Holm", **options)


@pytest.fixture
def letter(mailbox) -> Message:
    return arrives(mailbox, files=(File("beslut.pdf", "application/pdf", BytesContent(PDF)),))


@pytest.fixture
def karin(mailbox) -> Person:
    person, _ = Person.add("199001012385", "Karin Svensson")
    Membership.objects.create(person=person, mailbox=mailbox)
    OrganisationRole.objects.create(person=person, participant_id=HABO, role="administrator")
    return person


@pytest.fixture
def another(mailbox) -> FunctionMailbox:
    """Another organisation of the installation, with a message and a member of its own."""
    Organisation.objects.create(participant_id=OTHER, name="Arbetsförmedlingen")
    box = FunctionMailbox.objects.create(participant_id=OTHER, address="funktion-b", name="Praktik")
    arrives(box, files=(File("annan.pdf", "application/pdf", BytesContent(b"annans")),))
    a_member("Nils Granberg", box)
    access_log.record(None, "retention-run", OTHER, mailbox=box)
    return box


def snapshot(participant: str) -> dict[str, list]:
    """The values of all rows of an organisation, without the keys that differ between installations."""
    found = {}
    for label in labels(Kind.EXPORTED):
        fields = [
            field
            for field in exported_fields(label, model_of(label))
            if field.remote_field is None and not field.primary_key
        ]
        rows = [row for rows in exported_rows(label, participant) for row in rows]
        found[label] = [as_json(row, fields) for row in rows]
    return found


def rows_of_all() -> dict[str, set]:
    return {
        model._meta.label: {str(key) for key in model.objects.values_list("pk", flat=True)}
        for model in apps.get_models()
        if hasattr(model, "objects")
    }


def files_in_storage(root) -> set[str]:
    return {str(path) for path in Path(root).rglob("*") if path.is_file()}


def test_a_row_of_every_kind_comes_to_the_other_installation_as_it_was(
    mailbox, letter, karin, places, elsewhere, settings
):
    made = make_up(HABO)
    assert len(made) > 60
    before = snapshot(HABO)
    assert [label for label, rows in before.items() if not rows] == []
    told = export(places)
    assert f"{HABO}: " in told
    with elsewhere.here():
        build_others()
        others = rows_of_all()
        told = imported(places)
        assert "1 people cannot log in" in told or "2 people cannot log in" in told
        after = snapshot(HABO)
        for label in before:
            if label not in CHANGED:
                assert sorted(map(str, after[label])) == sorted(map(str, before[label])), label
        assert list(access_log.verify(HABO)) == []
        now = rows_of_all()
        assert all(rows <= now[label] for label, rows in others.items())
        assert list(access_log.verify(OTHER)) == []
        run("check_stored")


# Turned off, not handed over, or told of otherwise.
CHANGED = {
    "mailbox.AccessLogEntry",
    "mailbox.ArrivalTurn",
    "mailbox.ApprovalRequest",
    "mailbox.CaseDelivery",
    "mailbox.CaseSystem",
    "mailbox.ConversationEvent",
    "mailbox.DirectoryGroup",
    "mailbox.DirectoryUser",
    "mailbox.Draft",
    "mailbox.Message",
    "remote_message_service.RemoteService",
}


def build_others() -> None:
    """The other installation has an organisation, people and messages already: its keys are in use."""
    Organisation.objects.create(participant_id=OTHER, name="AF")
    box = FunctionMailbox.objects.create(participant_id=OTHER, address="funktion-b", name="Praktik")
    for _ in range(3):
        arrives(box)
    a_member("Nils Granberg", box)
    access_log.record(None, "retention-run", OTHER, mailbox=box)


def test_a_member_reads_what_was_imported_through_the_ordinary_pages(
    mailbox, letter, karin, places, elsewhere, client, tmp_path
):
    note = Note.objects.create(
        conversation=letter.conversation, text="Ring Kastanjemannen", written_by=karin, at=MORNING
    )
    label = Label.objects.create(mailbox=mailbox, name="Brådskande")
    label.conversations.add(letter.conversation)
    ArrivalRule.objects.create(
        mailbox=mailbox,
        name="Till Karin",
        position=1,
        conditions={"words": ["kallelse"]},
        actions={"label": label.pk, "assign_to": karin.pk, "among": [karin.pk], "notify": []},
    )
    Draft.objects.create(mailbox=mailbox, text="Ett utkast", owner=karin, writer_ids=[karin.pk])
    export(places)
    claims = tmp_path / "people.csv"
    claims.write_text(f"person;claim\n{karin.pk};199001012385\n", encoding="utf-8")
    with elsewhere.here():
        build_others()
        assert "cannot log in" not in imported(places, people=claims)
        index.index_missing(everything=True)
        person = Person.objects.by_subject("19900101-2385")
        box = FunctionMailbox.objects.get(participant_id=HABO)
        conversation = Conversation.objects.get(mailbox=box)
        log_in(client, person)
        page = client.get(reverse("conversation", args=[conversation.pk])).content.decode()
        assert note.text in page
        assert "Brådskande" in page
        attachment = Attachment.objects.get(document__message__conversation=conversation)
        assert b"".join(client.get(reverse("attachment", args=[attachment.pk])).streaming_content) == PDF
        found = client.post(reverse("search"), {"question": "kallelse"}).content.decode()
        assert f"/konversation/{conversation.pk}/" in found
        theirs = Conversation.objects.exclude(mailbox=box).first()
        assert client.get(reverse("conversation", args=[theirs.pk])).status_code == 404
        rule = ArrivalRule.objects.get(mailbox=box)
        assert rule.actions == {
            "label": Label.objects.get(mailbox=box).pk,
            "assign_to": person.pk,
            "among": [person.pk],
            "notify": [],
        }
        assert rule.conditions == {"words": ["kallelse"]}
        draft = Draft.objects.get(mailbox=box)
        assert (draft.text, draft.owner, draft.writer_ids) == ("Ett utkast", person, [person.pk])
        assert OrganisationRole.objects.get(participant_id=HABO).person == person


def test_nothing_of_an_export_is_readable_without_the_key(mailbox, letter, karin, places):
    make_up(HABO)
    export(places)
    for path in places.export.rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            for secret in (b"Kastanjemannen", b"Kallelse", b"Hemligt", b"Karin", b"SDKREST1"):
                assert secret not in data, path
            assert path.stat().st_mode & 0o077 == 0
    work = [path for path in (places.root / "work").rglob("*") if path.is_file()]
    assert work == []


def test_private_keys_leave_only_when_asked_for_in_a_file_of_their_own(world, places, elsewhere, tmp_path):
    world.pump()
    participant = world.recipient.participant.value
    private = places.root / "keys.age"
    export(places, participant, with_keys=private, keys_public_key=places.public)
    with elsewhere.here():
        imported(places)
        assert not Organisation.objects.get().keys.exists()
    with elsewhere.here():
        erase(participant, without_export=True)
        imported(places, keys=private, keys_key=places.private)
        organisation = Organisation.objects.get(participant_id=participant)
        assert opening_keys(organisation)
    assert b"PRIVATE KEY" not in private.read_bytes()


def test_keys_of_another_export_are_refused(mailbox, places, elsewhere, tmp_path):
    private = places.root / "keys.age"
    export(places, with_keys=private, keys_public_key=places.public)
    places.export.rename(places.root / "first")
    export(places)
    with elsewhere.here():
        said = not_imported(places, keys=private, keys_key=places.private)
        assert "does not belong to this export" in said
        assert not Organisation.objects.exists()


@pytest.mark.xdist_group("federation-leaving")
def test_evidence_is_whole_after_leaving_by_access_points_and_by_local_delivery(
    world, places, elsewhere, settings, client, tmp_path
):
    person = a_member("Karin Svensson", world.sender.mailbox, world.recipient.mailbox)
    for is_local in (False, True):
        Organisation.objects.update(goes_out_and_back=not is_local)
        send(world, person, f"Planering {is_local}")
    conversations = Conversation.objects.filter(mailbox=world.recipient.mailbox)
    assert conversations.count() == 2
    assert IncomingMessage.objects.exclude(sent_as=None).exists()
    participant = world.recipient.participant.value
    export(places, participant)
    settings.ROOT_URLCONF = "sdkportal.urls"
    with elsewhere.here():
        imported(places)
        everywhere = Conversation.objects.order_by("pk")
        assert everywhere.count() == 2
        reader = Person.objects.get()
        log_in(client, reader)
        for conversation in everywhere:
            made = client.post(reverse("record-bundle", args=[conversation.pk]))
            assert check_bundle(io.BytesIO(b"".join(made.streaming_content))) == []
        assert not OutgoingMessage.due().exists()
        assert Event.objects.count() > 4
    # The sender keeps what it has sent, when the recipient has been erased; and a received message the
    # other way round, when its sender has.
    erase(participant, exported=str(places.export))
    log_in(client, person)
    for conversation in Conversation.objects.all():
        assert conversation.mailbox == world.sender.mailbox
        made = client.post(reverse("record-bundle", args=[conversation.pk]))
        assert check_bundle(io.BytesIO(b"".join(made.streaming_content))) == []


@pytest.mark.xdist_group("federation-leaving")
def test_what_was_received_inside_the_installation_stays_when_its_sender_is_erased(
    world, settings, client, tmp_path
):
    person = a_member("Karin Svensson", world.sender.mailbox, world.recipient.mailbox)
    Organisation.objects.update(goes_out_and_back=False)
    send(world, person, "Planering")
    erase(world.sender.participant.value, without_export=True)
    (row,) = IncomingMessage.objects.exclude(envelope_name="")
    assert row.sent_as is None
    long_ago = timezone.now().timestamp() - 7200
    os.utime(default_storage.path(row.envelope_name), (long_ago, long_ago))
    assert remove_orphaned("outgoing", OutgoingMessage.files_of) == 0
    settings.ROOT_URLCONF = "sdkportal.urls"
    log_in(client, person)
    conversation = Conversation.objects.get()
    made = client.post(reverse("record-bundle", args=[conversation.pk]))
    assert check_bundle(io.BytesIO(b"".join(made.streaming_content))) == []


def send(world, person, subject: str) -> None:
    organisation, _ = AddressBookOrganisation.objects.get_or_create(
        book_id="1", participant_id=world.recipient.participant.value, name="Mottagarverket"
    )
    function, _ = FunctionAddress.objects.get_or_create(
        book_id="1", organisation=organisation, identifier=world.recipient.mailbox.address, name="Praktik"
    )
    draft = composer.begin(world.sender.mailbox, person)
    draft = recipients.choose_recipient(draft.pk, draft.version, function, person)
    content = DraftForm.content_of({"subject": subject, "text": "Hej", "is_confidential": "1"})
    build.send_now(draft.pk, draft.version, content, person)
    world.pump()


def test_running_it_twice_doubles_nothing(mailbox, letter, karin, places, elsewhere):
    export(places)
    with elsewhere.here():
        imported(places)
        before = rows_of_all()
        assert "imported before" in imported(places)
        assert rows_of_all() == before


def test_an_organisation_that_is_here_is_refused(mailbox, letter, places):
    export(places)
    before = rows_of_all()
    assert f"{HABO} is here already" in not_imported(places)
    assert rows_of_all() == before


def test_an_organisation_that_was_prepared_keeps_its_keys(mailbox, letter, places, elsewhere):
    export(places)
    with elsewhere.here():
        prepared = Organisation.objects.create(participant_id=HABO, name="Håbo")
        imported(places)
        assert Organisation.objects.get() == prepared
        assert FunctionMailbox.objects.get().participant_id == HABO


def test_people_are_known_again_where_both_installations_know_them_by_the_same_key(
    mailbox, letter, karin, places, elsewhere, settings
):
    export(places)
    elsewhere.person_key = settings.SDK_PERSON_KEY
    with elsewhere.here():
        here, _ = Person.add("199001012385", "Karin S")
        assert "cannot log in" not in imported(places)
        assert Membership.objects.get().person == here


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("person;claim\n99999;199001012385\n", "names 1 people who are not in the export"),
        ("person;claim\nx;1\n", "line 2"),
        ("person;claim\n1;a\n2;a\n", "one claim for two people"),
    ],
)
def test_a_file_of_claims_that_does_not_fit_is_refused(
    mailbox, karin, places, elsewhere, tmp_path, text, said
):
    export(places)
    claims = tmp_path / "people.csv"
    claims.write_text(text)
    with elsewhere.here():
        assert said in not_imported(places, people=claims)
        assert not Organisation.objects.exists()


def test_the_imported_log_is_verified_by_the_chain_that_it_had(mailbox, letter, karin, places, elsewhere):
    make_up(HABO)
    head = access_log.head_of(HABO)
    export(places)
    with elsewhere.here():
        imported(places)
        assert list(access_log.verify(HABO)) == []
        entries = AccessLogEntry.objects.order_by("number")
        assert tuple(entries.last().details["head"]) == head
        # Whoever changes an entry and the whole chain after it cannot change what it was.
        first = entries.first()
        first.details = {**first.details, "note": "another"}
        first.digest = access_log.digest_of(first)
        rechained(first, entries)
        assert {fault.what for fault in access_log.verify(HABO)} == {"not-as-imported"}


def rechained(first, entries) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        first.save()
        previous = first.digest
        for entry in entries[1:]:
            entry.previous = previous
            entry.digest = previous = access_log.digest_of(entry)
            entry.save()
        access_log.set_head(HABO, (entries.count(), previous))


def test_a_log_that_is_imported_twice_is_verified_by_both_chains(mailbox, karin, places, elsewhere, tmp_path):
    make_up(HABO)
    export(places)
    first = places.export.rename(tmp_path / "first")
    with elsewhere.here():
        run("import_organisation", str(first), key=places.private)
        export(places)
    erase(without_export=True)
    imported(places)
    assert list(access_log.verify(HABO)) == []
    depths = ["before" in entry.details.get("imported", {}) for entry in AccessLogEntry.objects.all()]
    assert any(depths)
    assert not all(depths)


@pytest.mark.parametrize("kind", ["cut", "altered", "missing", "swapped"])
def test_a_damaged_export_is_refused_by_the_name_of_what_is_damaged(
    mailbox, letter, karin, places, elsewhere, kind
):
    export(places)
    path = places.export / "rows" / "mailbox.Message.jsonl.age"
    data = path.read_bytes()
    if kind == "cut":
        path.write_bytes(data[:-10])
    elif kind == "altered":
        path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    elif kind == "missing":
        path.unlink()
    else:
        path.write_bytes((places.export / "rows" / "mailbox.Note.jsonl.age").read_bytes())
    with elsewhere.here():
        assert "rows/mailbox.Message.jsonl.age" in not_imported(places)
        assert not Organisation.objects.exists()
        assert files_in_storage(elsewhere.directory) == set()


def test_a_damaged_file_is_refused_by_its_name(mailbox, letter, places, elsewhere):
    export(places)
    (path,) = (places.export / "files").rglob("*.age")
    path.write_bytes(path.read_bytes()[:-1])
    with elsewhere.here():
        assert path.name in not_imported(places)
        assert files_in_storage(elsewhere.directory) == set()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda value: {**value, "format": 99}, "format 99"),
        (lambda value: {**value, "tables": value["tables"][:-1]}, "does not name mailbox.Person"),
        (lambda value: {**value, "access_log": [7, "x"]}, "access log is cut off"),
        (lambda value: {**value, "tables": [{**value["tables"][0], "model": "../x"}]}, "not the manifest"),
        (lambda value: {}, "not the manifest"),
        (lambda value: {**value, "participant_id": "0203:annan.se"}, "0203:annan.se"),
    ],
)
def test_a_manifest_that_was_changed_is_refused(mailbox, letter, places, elsewhere, change, said):
    access_log.record(None, "retention-run", HABO, mailbox=mailbox)
    export(places)
    path = places.export / "manifest.json"
    path.write_text(json.dumps(change(json.loads(path.read_text()))))
    with elsewhere.here():
        assert said in not_imported(places)
        assert not Organisation.objects.exists()


def rewrite(places, label: str, change) -> None:
    """Change every row of a model in an export, as somebody could who makes the whole export anew."""
    path = places.export / "rows" / f"{label}.jsonl.age"
    identities = identities_in(places.private)
    with path.open("rb") as source, opened(source, identities, path.name) as content:
        rows = [change(values) for values in lines_of(content, path.name)]
    with path.open("wb") as out:
        seal(map(line_of, rows), out, recipients_in(places.public))
    manifest = json.loads((places.export / "manifest.json").read_text())
    (table,) = [each for each in manifest["tables"] if each["model"] == label]
    data = path.read_bytes()
    table |= {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    (places.export / "manifest.json").write_text(json.dumps(manifest))


@pytest.mark.parametrize(
    ("label", "change", "said"),
    [
        ("mailbox.Message", {"weight": 3}, "mailbox.Message has fields that are not imported: weight"),
        ("mailbox.Message", {"at": "yesterday"}, "at has no value of its kind"),
        ("mailbox.Message", {"conversation": 2**40}, "conversation has no value of its kind"),
        ("mailbox.Message", {"conversation": 0}, "1 rows do not belong"),
        ("mailbox.Message", {"documents": []}, "documents"),
        ("mailbox.FunctionMailbox", {"participant_id": OTHER}, f"does not belong to {HABO}"),
        ("mailbox.Person", {"password": "x"}, "fields that are not imported: password"),
        ("message_service.Organisation", {"participant_id": OTHER}, f"does not belong to {HABO}"),
    ],
)
def test_an_export_that_somebody_has_made_up_is_refused(
    mailbox, letter, karin, places, elsewhere, label, change, said
):
    export(places)
    rewrite(places, label, lambda values: {**values, **change})
    with elsewhere.here():
        build_others()
        before = rows_of_all()
        assert said in not_imported(places)
        assert {**rows_of_all(), "at_rest.DataKey": 0} == {**before, "at_rest.DataKey": 0}


def test_a_column_that_an_earlier_version_did_not_have_gets_its_default(mailbox, letter, places, elsewhere):
    Conversation.objects.update(is_priority=True)
    export(places)
    rewrite(
        places,
        "mailbox.Conversation",
        lambda values: {name: value for name, value in values.items() if name != "is_priority"},
    )
    with elsewhere.here():
        imported(places)
        assert not Conversation.objects.get().is_priority


def test_an_export_with_another_digest_than_was_told_is_refused(mailbox, places, elsewhere):
    digest = export(places).split("digest ")[1].strip()
    with elsewhere.here():
        assert "digest differs" in not_imported(places, digest="0" * 64)
        assert "sound" in imported(places, digest=digest, check=True)
        assert not Organisation.objects.exists()
        imported(places, digest=digest)


def test_another_key_opens_nothing(mailbox, letter, places, elsewhere, tmp_path):
    export(places)
    wrong = tmp_path / "wrong.key"
    run("make_backup_key", wrong)
    with elsewhere.here():
        said = refused("import_organisation", str(places.export), key=wrong)
        assert "was not encrypted to this key" in said
        assert not DataKey.objects.exists()


def test_a_directory_without_a_manifest_is_no_export(mailbox, letter, places, elsewhere):
    export(places)
    (places.export / "manifest.json").unlink()
    with elsewhere.here():
        assert "no finished export" in not_imported(places)
    # An interrupted export is made anew in the same place; a finished one is not written over.
    export(places)
    assert "finished export already" in refused(
        "export_organisation", HABO, str(places.export), public_key=places.public
    )


def test_what_is_under_way_is_counted_and_not_exported_unless_asked_for(
    mailbox, letter, karin, places, elsewhere
):
    organisation = Organisation.objects.get()
    waiting = OutgoingMessage.objects.create(
        organisation=organisation,
        message_id=letter.message_id,
        conversation_id=letter.message_id,
        recipient=OTHER,
        due_at=MORNING,
    )
    Draft.objects.create(mailbox=mailbox, text="I morgon", send_at=MORNING)
    said = refused("export_organisation", HABO, str(places.export), public_key=places.public)
    assert "1 messages to be sent or delivered, 1 drafts to be sent" in said
    assert not places.export.exists()
    assert "under way: 1 drafts to be sent" in export(places, although_under_way=True)
    with elsewhere.here():
        imported(places)
        row = OutgoingMessage.objects.get()
        assert (row.pk, row.state, row.due_at) == (waiting.pk, "SCHEDULED", None)
        assert Draft.objects.get().send_at is None


def test_an_import_that_was_interrupted_goes_on(mailbox, letter, karin, places, elsewhere, monkeypatch):
    export(places)
    with elsewhere.here():
        whole = importing._Rows.insert_all

        def interrupted(self, report):
            whole(self, report)
            raise KeyboardInterrupt

        monkeypatch.setattr(importing._Rows, "insert_all", interrupted)
        with pytest.raises(KeyboardInterrupt):
            imported(places)
        assert not Organisation.objects.exists()
        (stored,) = files_in_storage(elsewhere.directory)
        # As a process leaves it that is killed while it writes.
        Path(stored).write_bytes(Path(stored).read_bytes()[:200])
        monkeypatch.undo()
        imported(places)
        assert Message.objects.count() == 1
        run("check_stored")


def test_an_import_that_is_abandoned_leaves_nothing(mailbox, letter, places, elsewhere, monkeypatch):
    export(places)
    with elsewhere.here():
        monkeypatch.setattr(
            importing._Rows, "insert_all", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt)
        )
        with pytest.raises(KeyboardInterrupt):
            imported(places)
        assert "1 files removed" in imported(places, abandon=True)
        assert files_in_storage(elsewhere.directory) == set()


def test_a_file_of_somebody_else_is_not_written_over(mailbox, letter, places, elsewhere):
    export(places)
    name = Attachment.objects.get().file_name
    with elsewhere.here():
        path = elsewhere.directory / name
        path.parent.mkdir(parents=True)
        path.write_bytes(b"somebody else's" * 100)
        assert "is in storage already" in not_imported(places)
        assert path.read_bytes() == b"somebody else's" * 100


def test_erasing_leaves_the_protocol_and_everything_of_others(
    mailbox, letter, karin, another, places, tmp_path
):
    make_up(HABO)
    digest = export(places).split("digest ")[1].strip()
    names = [file.name for file in manifests.stored_files(places.target)]
    assert len(names) > 8
    before = rows_of_all()
    assert "mailbox.Message: 1" in run("erase_organisation", HABO, exported=str(places.export))
    assert rows_of_all() == before
    file = tmp_path / "protocol.json"
    told = erase(exported=str(places.export), protocol=file)
    protocol = json.loads(file.read_text())
    assert json.loads(told) == protocol
    assert (protocol["by"], protocol["manifest"]) == ("Eva Holm", digest)
    assert protocol["rows"]["mailbox.Message"] == 1
    assert protocol["people"] == {"erased": 1, "kept": 0}
    assert "Karin" not in told
    assert_nothing_is_left()
    assert not any(default_storage.exists(name) for name in names)
    assert Message.objects.get().conversation.mailbox == another
    assert default_storage.exists(Attachment.objects.get().file_name)
    assert Person.objects.get().name == "Nils Granberg"
    assert list(access_log.verify(OTHER)) == []
    assert list(access_log.verify(HABO)) == []
    (entry,) = AccessLogEntry.objects.filter(participant_id=HABO)
    assert (entry.what, entry.details["manifest"]) == ("organisation-erased", digest)
    run("check_stored")
    assert "erased before" in erase(exported=str(places.export))


def test_a_person_whom_another_organisation_has_to_do_with_stays(mailbox, letter, karin, another):
    Membership.objects.create(person=karin, mailbox=another)
    protocol = json.loads(erase(without_export=True))
    assert protocol["people"] == {"erased": 0, "kept": 1}
    assert Membership.objects.filter(person=karin).get().mailbox == another


def test_the_services_own_role_does_not_erase(mailbox, letter):
    with connection.cursor() as cursor:
        cursor.execute("CREATE ROLE lets_nobody_erase")
        cursor.execute(
            "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO lets_nobody_erase"
        )
        cursor.execute("SET ROLE lets_nobody_erase")
        try:
            said = refused(
                "erase_organisation", HABO, without_export=True, erase=True, confirm=HABO, by="Eva Holm"
            )
        finally:
            cursor.execute("RESET ROLE")
            cursor.execute("DROP OWNED BY lets_nobody_erase")
            cursor.execute("DROP ROLE lets_nobody_erase")
    assert "run it as the database's owner" in said
    assert FunctionMailbox.objects.get().is_open


def assert_nothing_is_left() -> None:
    """No row of any table names the organisation, but the protocol, and no file is its own."""
    for model in apps.get_models():
        if model._meta.label in ("mailbox.AccessLogEntry", "mailbox.AccessLogHead"):
            continue
        with connection.cursor() as cursor:
            table = connection.ops.quote_name(model._meta.db_table)
            cursor.execute(f"SELECT count(*) FROM {table} AS row WHERE row::text LIKE %s", [f"%{HABO}%"])
            assert cursor.fetchone() == (0,), model


def test_what_came_since_the_export_is_not_erased(mailbox, letter, places):
    export(places)
    arrives(mailbox)
    said = refused("erase_organisation", HABO, exported=str(places.export))
    assert "Since the export 1 rows of mailbox.Message have come" in said
    erase(exported=str(places.export), although_changed=True)
    assert not Message.objects.exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "Say --exported DIRECTORY, or --without-export"),
        ({"without_export": True, "erase": True, "confirm": "0203:annan.se"}, "is another"),
    ],
)
def test_erasing_asks_for_an_export_and_for_the_identifier(mailbox, letter, options, said):
    assert said in refused("erase_organisation", HABO, **options)
    assert Message.objects.exists()


def test_an_export_that_is_damaged_or_anothers_lets_nothing_be_erased(
    mailbox, letter, another, places, tmp_path
):
    export(places, OTHER)
    assert f"one of {OTHER}" in refused("erase_organisation", HABO, exported=str(places.export))
    places.export.rename(tmp_path / "theirs")
    export(places)
    (path,) = (places.export / "files").rglob("*.age")
    path.unlink()
    assert "is missing" in refused("erase_organisation", HABO, exported=str(places.export))
    path = places.export / "manifest.json"
    path.write_text(path.read_text() + " ")
    assert "does not tell of this export" in refused("erase_organisation", HABO, exported=str(places.export))
    assert Message.objects.count() == 2


def test_the_transfer_log_stays_where_it_is_asked_for(mailbox, letter):
    make_up(HABO)
    erase(without_export=True, keep_transfer_log=True)
    assert model_of("access_point.TransferEvent").objects.filter(sender=HABO).exists()
    assert not model_of("access_point.OutboundTransfer").objects.exists()


KILLED = """
import os, signal, sys
import django
django.setup()
from django.core.management import call_command
from sdkportal.leaving import erasing, importing
module, name, after = sys.argv[1], sys.argv[2], int(sys.argv[3])
target = {"erasing": erasing, "importing": importing}[module]
whole, calls = getattr(target, name), []
def killed(*args, **options):
    calls.append(1)
    if len(calls) > after:
        os.kill(os.getpid(), signal.SIGKILL)
    return whole(*args, **options)
setattr(target, name, killed)
call_command(*sys.argv[4:])
"""


def killed(module: str, name: str, after: int, settings, *arguments: str) -> None:
    """Run a command in a process that is killed at the call of a function after so many."""
    known = connection.get_connection_params()
    url = f"postgresql://{known.get('user', '')}@/{known['dbname']}?host={known['host']}"
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "sdkportal.settings",
        "SDK_DATABASE_URL": url,
        "SDK_DATA_DIR": str(Path(settings.MEDIA_ROOT).parent),
        "SDK_WRAPPING_KEY": settings.SDK_WRAPPING_KEY,
        "SDK_PERSON_KEY": settings.SDK_PERSON_KEY,
    }
    finished = subprocess.run(
        [sys.executable, "-c", KILLED, module, name, str(after), *arguments],
        env=environment,
        cwd=settings.BASE_DIR,
        capture_output=True,
        timeout=300,
        check=False,
    )
    assert finished.returncode == -signal.SIGKILL, finished.stderr.decode()[-2000:]


@pytest.fixture
def stored_as_a_process_stores(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path / "payloads"
    return settings


def test_an_erasure_that_is_killed_goes_on(mailbox, stored_as_a_process_stores, karin, another, places):
    settings = stored_as_a_process_stores
    arrives(mailbox, files=(File("beslut.pdf", "application/pdf", BytesContent(PDF)),))
    make_up(HABO)
    export(places)
    options = ["erase_organisation", HABO, f"--exported={places.export}", "--erase", f"--confirm={HABO}"]
    for function, after in (("_erase_rows", 30), ("_erase_people", 0), ("_raw_delete", 0)):
        killed("erasing", function, after, settings, *options, "--by=Eva Holm")
        assert Organisation.objects.filter(participant_id=HABO).exists()
    protocol = json.loads(erase(exported=str(places.export)))
    assert protocol["rows"]["mailbox.Message"] == 1
    assert Message.objects.count() == 1
    assert default_storage.exists(Attachment.objects.get().file_name)


def test_an_import_that_is_killed_leaves_no_row_and_goes_on(
    mailbox, stored_as_a_process_stores, karin, places, tmp_path
):
    settings = stored_as_a_process_stores
    arrives(mailbox, files=(File("beslut.pdf", "application/pdf", BytesContent(PDF)),))
    export(places)
    erase(exported=str(places.export))
    options = ["import_organisation", str(places.export), f"--key={places.private}"]
    killed("importing", "insert", 20, settings, *options)
    assert not Organisation.objects.exists()
    # The organisation comes back to where it has left: the log goes on after the protocol.
    imported(places)
    assert Message.objects.count() == 1
    assert list(access_log.verify(HABO)) == []
    run("check_stored")
