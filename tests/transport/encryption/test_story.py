"""A message goes the whole chain, and nothing of it can be read where it is kept."""

import base64
import io
import json
import logging
import os
import subprocess
import sys
import uuid
from pathlib import Path

import boto3
import pytest
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.urls import reverse
from moto.server import ThreadedMotoServer

from addressbook.models import FunctionAddress, Organisation
from mailbox import tasks as mailbox_tasks
from mailbox.drafts import composer, draft_files, recipients
from mailbox.drafts.forms import DraftForm
from mailbox.models import Attachment, Draft, Membership, Message, Person
from tests.mailbox.build import send_now
from transport.access_point import tasks as access_point_tasks
from transport.access_point.models import InboundTransfer
from transport.message_service import tasks as message_service_tasks
from transport.message_service.models import OutgoingMessage
from transport.storage import blobs
from transport.storage.encryption import keys

PROJECT = Path(__file__).resolve().parent.parent.parent.parent
CONTENT = b"%PDF-1.7 " + b"Journalanteckning om Kastanjemannen. " * 9000
TOLD = ["Vildsvinsutredning", "blåbärspaj", "SN-2026-4711", "Kastanjemannen", "lekplatsolycka"]
WORDS = [*TOLD, "Journalanteckning"]


def a_member(mailbox) -> Person:
    person = Person.add(uuid.uuid4().hex, "Handläggaren")[0]
    Membership.objects.create(person=person, mailbox=mailbox)
    return person


def in_the_address_book(party) -> FunctionAddress:
    organisation = Organisation.objects.create(
        book_id=uuid.uuid4().hex, participant_id=party.participant.value, name="Mottagaren"
    )
    return FunctionAddress.objects.create(
        book_id=uuid.uuid4().hex,
        organisation=organisation,
        identifier=party.mailbox.address,
        name=party.mailbox.name,
    )


def written(draft: Draft, person: Person) -> composer.Content:
    return DraftForm.content_of(
        {
            "subject": "Vildsvinsutredning",
            "text": "Kom på blåbärspaj. " * 20,
            "reference_kind": "dnr",
            "reference": "SN-2026-4711",
            "person_name": "Kastanjemannen",
        }
    )


def tell_the_story(world) -> Client:
    """Write with an attachment, send, receive, read, search, and leave a draft; the reader's browser."""
    writer, reader = a_member(world.sender.mailbox), a_member(world.recipient.mailbox)
    function = in_the_address_book(world.recipient)
    for is_sent in (True, False):
        draft = composer.begin(world.sender.mailbox, writer)
        draft = recipients.choose_recipient(draft.pk, draft.version, function, writer)
        draft_files.attach(draft, SimpleUploadedFile("lekplatsolycka.pdf", CONTENT, "application/pdf"))
        draft = composer.save(draft.pk, draft.version, written(draft, writer), writer)
        if is_sent:
            send_now(draft.pk, draft.version, written(draft, writer), writer)
    world.pump()
    browser = Client()
    browser.force_login(reader, backend="mailbox.accounts.login.EidBackend")
    return browser


def page_of(row: Message) -> str:
    return reverse("conversation", args=[row.conversation_id])


def read_by(browser: Client) -> None:
    """What was written is what is read, and the file is what was attached."""
    row = Message.objects.get(direction="in")
    page = browser.get(page_of(row))
    text = page.content.decode()
    for word in TOLD:
        assert word in text
    attachment = Attachment.objects.get(document__message=row)
    response = browser.get(reverse("attachment", args=[attachment.pk]))
    assert b"".join(response.streaming_content) == CONTENT
    found = browser.post(reverse("search"), {"question": "blåbärspaj"})
    assert "Vildsvinsutredning" in found.content.decode()
    assert OutgoingMessage.objects.get(kind="message").state == "ACCEPTED"
    assert InboundTransfer.objects.count() == 2


def dump() -> bytes:
    """Every row of every table, as PostgreSQL writes them out."""
    out = []
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f'SELECT row_to_json(t)::text FROM "{table}" t')
            out += [row for (row,) in cursor.fetchall()]
    return "\n".join(out).encode()


def readable(data: bytes) -> list[str]:
    """The words that stand in the data: as they are, as JSON, hexadecimal or base64 would write them."""
    found = []
    lowered = data.lower()
    for word in WORDS:
        for form in (word.encode(), json.dumps(word)[1:-1].encode(), word.encode().hex().encode()):
            if form.lower() in lowered:
                found.append(word)
        for shift in range(3):
            encoded = base64.b64encode(b"\0" * shift + word.encode())[4:-4]
            if encoded in data:
                found.append(word)
    return found


def files_below(*directories: Path) -> list[bytes]:
    return [path.read_bytes() for directory in directories for path in directory.rglob("*") if path.is_file()]


@pytest.fixture
def portal(world, settings):
    """The pages, beside the access point that other tests' world serves."""
    settings.ROOT_URLCONF = "tests.transport.encryption.urls"
    return world


def test_a_dump_of_database_and_payloads_holds_no_word_of_the_message(portal, settings, caplog, capfd):
    caplog.set_level(logging.DEBUG)
    browser = tell_the_story(portal)
    read_by(browser)
    told = dump()
    assert b"Handl" in told, "the dump has rows in it"
    assert readable(told) == []
    kept = files_below(settings.MEDIA_ROOT, Path(settings.SDK_WORK_DIR))
    assert len(kept) >= 6, "envelopes, receipts, attachments, the draft's file"
    assert [readable(data) for data in kept] == [[]] * len(kept)
    assert b"<?xml" not in b"".join(kept)
    output = capfd.readouterr()
    assert readable((caplog.text + output.out + output.err).encode()) == []


def test_no_private_key_can_be_read_where_it_is_kept(portal, settings, caplog):
    caplog.set_level(logging.DEBUG)
    tell_the_story(portal)
    told = dump()
    secrets = [keys.key_of(row.pk).secret for row in keys.DataKey.objects.all()]
    for party in (portal.sender, portal.recipient):
        for pair in (party.files.signing, party.files.encryption):
            body = pair.key.read_text().split("-----")[2].replace("\n", "")
            assert body[40:80].encode() not in told
    assert b"PRIVATE KEY" not in told
    for secret in secrets:
        assert secret.hex().encode() not in told
        assert secret.hex() not in caplog.text
    assert settings.SDK_WRAPPING_KEY.encode() not in told
    assert "PRIVATE KEY" not in caplog.text


def test_an_error_page_shows_neither_keys_nor_what_they_open(portal, settings, monkeypatch):
    """Even with Django's debugging on, which production never has."""
    settings.DEBUG, settings.DEBUG_PROPAGATE_EXCEPTIONS = True, False
    settings.SDK_PKCS11_PIN = "493827"
    browser = tell_the_story(portal)
    browser.raise_request_exception = False
    row = Message.objects.get(direction="in")
    connection.cursor().execute("UPDATE mailbox_document SET position = position + 7")
    page = browser.get(page_of(row))
    assert page.status_code == 500
    text = page.content.decode()
    assert "Altered" in text
    assert "493827" not in text
    assert settings.SDK_WRAPPING_KEY not in text
    for key in keys.DataKey.objects.all():
        assert repr(keys.key_of(key.pk).secret)[2:-1] not in text


@pytest.fixture
def bucket(settings, monkeypatch):
    """An S3 bucket on this machine, configured as an operator would: by the environment."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    environment = {
        "SDK_S3_BUCKET": f"payloads-{uuid.uuid4().hex[:8]}",
        "SDK_S3_ENDPOINT": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "eu-north-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    told = subprocess.run(
        [
            sys.executable,
            "-c",
            "import json, sdkportal.settings as s; print(json.dumps(s.STORAGES))",
        ],
        check=True,
        capture_output=True,
        cwd=PROJECT,
        env=os.environ,
    ).stdout
    settings.STORAGES = json.loads(told)
    client = boto3.client("s3", endpoint_url=environment["SDK_S3_ENDPOINT"])
    client.create_bucket(
        Bucket=environment["SDK_S3_BUCKET"],
        CreateBucketConfiguration={"LocationConstraint": environment["AWS_DEFAULT_REGION"]},
    )
    yield Bucket(client, environment["SDK_S3_BUCKET"])
    server.stop()


class Bucket:
    """What lies in the bucket."""

    def __init__(self, client, name: str) -> None:
        self._client, self._name = client, name

    def contents(self) -> dict[str, bytes]:
        told = self._client.list_objects_v2(Bucket=self._name).get("Contents", [])
        return {
            item["Key"]: self._client.get_object(Bucket=self._name, Key=item["Key"])["Body"].read()
            for item in told
        }


def test_a_message_goes_the_whole_chain_with_its_payloads_in_s3(bucket, portal, settings):
    browser = tell_the_story(portal)
    read_by(browser)
    contents = bucket.contents()
    folders = {name.partition("/")[0] for name in contents}
    assert folders == {"outgoing", "inbound", "attachments", "drafts"}
    assert [readable(data) for data in contents.values()] == [[]] * len(contents)
    assert all(data.startswith(b"SDKREST1") for data in contents.values())
    assert not settings.MEDIA_ROOT.exists(), "nothing is put on the local disk"
    for tidy in (
        access_point_tasks.remove_orphaned_files,
        message_service_tasks.remove_orphaned_files,
        mailbox_tasks.remove_orphaned_files,
    ):
        tidy()
    assert bucket.contents().keys() == contents.keys()


def test_what_lies_in_s3_is_sealed_again_after_a_new_data_key(bucket, portal):
    browser = tell_the_story(portal)
    before = bucket.contents()
    call_command("rotate_data_keys")
    call_command("seal_at_rest")
    after = bucket.contents()
    assert before.keys() == after.keys()
    assert all(before[name] != after[name] for name in before)
    read_by(browser)


def test_a_large_file_goes_in_parts_to_s3_and_opens_anywhere(bucket, portal):
    content = os.urandom(20 * 1024 * 1024)
    place = blobs.BlobBinding(portal.sender.participant.value, "file", uuid.uuid4())
    name = blobs.store(f"attachments/{place.key}", io.BytesIO(content), place)
    assert default_storage.exists(name)
    with blobs.open_stored(name, place) as stored:
        stored.seek(17_000_001)
        assert stored.read(100) == content[17_000_001:17_000_101]
        stored.seek(0)
        assert stored.read() == content
