"""What was stored before there was encryption, or under a retired key, is sealed by a command."""

import io
import uuid

import pytest
from cryptography.hazmat.primitives import serialization
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from mailbox.models import (
    Attachment,
    Conversation,
    Document,
    Draft,
    DraftAttachment,
    FunctionMailbox,
    Message,
)
from testbed.authorities import load_certificate, load_key
from transport.message_service.models import Organisation, OrganisationKey
from transport.message_service.organisations import organisation_keys
from transport.message_service.organisations.organisation_keys import add_key, opening_keys
from transport.storage import blobs
from transport.storage.encryption import keys
from transport.storage.encryption.errors import NotSealed
from transport.storage.encryption.models import DataKey

pytestmark = pytest.mark.django_db
OURS = "0203:a.se"


def execute(statement: str, *values: object) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)


@pytest.fixture
def message():
    mailbox = FunctionMailbox.objects.create(participant_id=OURS, address="a", name="Barn")
    conversation = Conversation.objects.create(
        mailbox=mailbox, conversation_id=uuid.uuid4(), counterpart="B", last_activity_at=timezone.now()
    )
    message = Message.objects.create(
        conversation=conversation,
        direction=Message.Direction.IN,
        message_id=uuid.uuid4(),
        is_confidential=False,
        counterpart_participant="0203:b.se",
        counterpart_organisation="B",
        at=timezone.now(),
    )
    Document.objects.create(message=message, position=1)
    return message


@pytest.fixture
def in_the_clear(message):
    """Everything as it was stored before there was encryption."""
    document = message.documents.get()
    execute("UPDATE mailbox_conversation SET subject = 'Ämnet'")
    execute("""UPDATE mailbox_message SET subject = 'Ämnet', sender_persons = '[{"label": "Kalle"}]'""")
    execute("""UPDATE mailbox_document SET name = 'Namnet', texts = '["Texten", "Mer"]'""")
    draft = Draft.objects.create(mailbox=message.conversation.mailbox)
    execute("UPDATE mailbox_draft SET text = 'Utkastet'")
    plain = {"content_type": "text/plain", "size": 8, "sha256": ""}
    for number, row in enumerate(
        (Attachment(document=document, **plain), DraftAttachment(draft=draft, **plain))
    ):
        row.file_name = default_storage.save(f"attachments/{number}", ContentFile(b"Innehall"))
        row.save()
    execute("UPDATE mailbox_attachment SET name = 'kalle.txt'")
    execute("UPDATE mailbox_draftattachment SET name = 'utkast.txt'")


def everything() -> list[object]:
    document, draft = Document.objects.get(), Draft.objects.get()
    found = [
        Conversation.objects.get().subject,
        document.message.subject,
        document.message.sender_persons,
        document.name,
        document.texts,
        draft.text,
    ]
    for file in (Attachment.objects.get(), DraftAttachment.objects.get()):
        with blobs.open_stored(file.file_name, file.binding) as content:
            found += [file.name, content.read()]
    return found


WRITTEN = [
    "Ämnet",
    "Ämnet",
    [{"label": "Kalle"}],
    "Namnet",
    ["Texten", "Mer"],
    "Utkastet",
    "kalle.txt",
    b"Innehall",
    "utkast.txt",
    b"Innehall",
]


def test_what_is_in_the_clear_is_refused_then_sealed_and_read(in_the_clear, capsys):
    with pytest.raises(NotSealed):
        everything()
    call_command("seal_at_rest")
    assert everything() == WRITTEN
    assert "sealed 8 texts, 2 files" in capsys.readouterr().out
    call_command("seal_at_rest")
    assert "sealed 0 texts, 0 files, 0 private keys" in capsys.readouterr().out


def test_what_is_in_the_clear_is_read_while_that_is_allowed(in_the_clear, settings):
    settings.SDK_ACCEPT_PLAIN = True
    assert everything() == WRITTEN


def test_after_rotation_everything_is_sealed_with_the_new_key(in_the_clear, capsys):
    call_command("seal_at_rest")
    call_command("rotate_data_keys", organisation=OURS)
    call_command("seal_at_rest")
    assert "sealed 8 texts, 2 files" in capsys.readouterr().out
    DataKey.objects.exclude(retired_at=None).delete()
    keys.key_of.cache_clear()
    assert everything() == WRITTEN


def test_a_row_that_was_tampered_with_is_named_and_the_rest_is_sealed(in_the_clear, capsys):
    call_command("seal_at_rest")
    execute("UPDATE mailbox_conversation SET conversation_id = %s", str(uuid.uuid4()))
    call_command("rotate_data_keys")
    with pytest.raises(CommandError, match="1 rows were refused"):
        call_command("seal_at_rest")
    out = capsys.readouterr()
    assert "mailbox.Conversation" in out.err
    assert "Altered" in out.err
    assert "Ämnet" not in out.err + out.out
    assert Draft.objects.get().text == "Utkastet"


def test_rotation_of_an_organisation_without_a_key_is_told_of():
    with pytest.raises(CommandError, match="no data key"):
        call_command("rotate_data_keys", organisation="0203:okand.se")


@pytest.mark.usefixtures("message")
def test_a_file_keeps_its_name_when_it_is_sealed_again():
    place = blobs.BlobBinding(OURS, "file", uuid.uuid4())
    name = blobs.store(f"attachments/{place.key}", io.BytesIO(b"x" * 200_000), place)
    before = blobs.sealed_with(name)
    keys.rotate(OURS)
    blobs.seal_again(name, place)
    assert blobs.sealed_with(name) not in {before, None}
    with blobs.open_stored(name, place) as content:
        assert content.read() == b"x" * 200_000
    assert default_storage.listdir("attachments")[1] == [str(place.key)]


def test_private_keys_from_before_open_with_their_passphrase_and_are_sealed_without(
    federation, settings, capsys
):
    files = federation.issue_organisation_key(uuid.uuid4().hex, "Gammal")
    organisation = Organisation.objects.create(participant_id=OURS, name="A")
    key, certificate = load_key(files.key), load_certificate(files.certificate)
    row = add_key(organisation, OrganisationKey.Purpose.ENCRYPTION, key, certificate)
    old = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"den gamla"),
    )
    execute("UPDATE message_service_organisationkey SET private_key = %s WHERE id = %s", old.decode(), row.pk)
    settings.SDK_KEY_PASSPHRASE = "den gamla"
    call_command("seal_at_rest")
    assert "1 private keys" in capsys.readouterr().out
    settings.SDK_KEY_PASSPHRASE = ""
    organisation_keys.read_key.cache_clear()
    (opened,) = opening_keys(organisation)
    assert opened.private_numbers() == key.private_numbers()
