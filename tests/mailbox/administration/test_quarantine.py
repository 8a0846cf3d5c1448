"""What malicious code was found in: administrators are told, see that it was found, and never open it."""

import io
from datetime import timedelta

import pytest
from django.core import mail
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from mailbox.administration import quarantine
from mailbox.archive.bundle import write_bundle
from mailbox.delivery.client import BuiltInClient
from mailbox.drafts import composer, draft_files, recipients
from mailbox.drafts.forms import DraftForm
from mailbox.models import AccessLogEntry, Attachment, FunctionMailbox, Message
from testbed.clamav import EICAR
from tests.mailbox.build import send_now
from transport.message_service.client_port import MessageKey
from transport.message_service.malware.quarantine import quarantined_files
from transport.message_service.malware.scan import Found
from transport.message_service.models import (
    IncomingMessage,
    Organisation,
    OutgoingMessage,
    QuarantinedFile,
    ScannerAlarm,
)
from transport.protocol.sdk_message.message import BytesContent
from transport.storage import blobs

from .build import HERE, a_member, log_in, with_role

pytestmark = pytest.mark.django_db
ELSEWHERE = "0203:nagon-annan.se"
BAD = b"%PDF-1.7\n" + EICAR


@pytest.fixture
def mailbox(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path
    settings.SDK_PUBLIC_URL = "https://sdk.habo.se"
    for participant in (HERE, ELSEWHERE):
        Organisation.objects.create(participant_id=participant, name=participant)
    return FunctionMailbox.objects.create(participant_id=HERE, address="funktion-b", name="Mottagning")


def found(participant: str = HERE, **changes) -> QuarantinedFile:
    values = {
        "message_id": "5c0f8f0e-3f5b-4f3f-9d3b-0d2a3b6f6f11",
        "counterpart": "0203:af.se",
        "function_address": "funktion-b",
    } | changes
    organisation = Organisation.objects.get(participant_id=participant)
    part = Found("/", "Win.Trojan.X-1", BytesContent(BAD))
    (row,) = quarantined_files((part,), organisation, QuarantinedFile.Direction.IN, **values)
    row.save(force_insert=True)
    return row


def uploaded(draft, client, name="faktura.pdf", content=BAD):
    file = SimpleUploadedFile(name, content, "application/pdf")
    return client.post(reverse("upload", args=[draft.pk]), {"files": file})


def test_a_file_with_malicious_code_cannot_be_attached_and_the_text_names_it(mailbox, client, settings):
    person = a_member(mailbox)
    draft = composer.begin(mailbox, person)
    log_in(client, person)
    response = uploaded(draft, client)
    assert response.status_code == 422
    assert response.content.decode().startswith("faktura.pdf: skadlig kod hittades i filen")
    assert not draft.attachments.exists()
    assert not any(path.is_file() for path in settings.MEDIA_ROOT.rglob("*"))
    # Without the page's script the same is said on the page.
    page = client.post(
        reverse("draft", args=[draft.pk]),
        {"version": draft.version, "files": SimpleUploadedFile("faktura.pdf", BAD, "application/pdf")},
    )
    assert page.status_code == 422
    assert "faktura.pdf: skadlig kod hittades" in page.content.decode()
    assert QuarantinedFile.objects.filter(direction="draft", function_address="funktion-b").count() == 2


def test_while_the_scanner_is_away_people_may_go_on_writing(mailbox, client, settings):
    settings.SDK_CLAMD = "/nowhere/clamd.sock"
    person = a_member(mailbox)
    draft = composer.begin(mailbox, person)
    log_in(client, person)
    assert uploaded(draft, client).status_code == 200
    with blobs.open_stored(draft.attachments.get().file_name, draft.attachments.get().binding) as kept:
        assert kept.read() == BAD


def test_a_file_that_the_scanner_cannot_take_is_refused_with_a_reason(mailbox, client, monkeypatch):
    from transport.storage import malware

    def too_large(source):
        raise malware.TooLargeToScan("INSTREAM size limit exceeded. ERROR")

    monkeypatch.setattr(malware, "signature_in", too_large)
    person = a_member(mailbox)
    draft = composer.begin(mailbox, person)
    log_in(client, person)
    response = uploaded(draft, client)
    assert response.status_code == 422
    assert "större än vad som kan kontrolleras" in response.content.decode()


def test_what_was_found_stands_on_the_administrators_page_and_can_be_removed_and_not_opened(
    mailbox, client, settings, django_capture_on_commit_callbacks
):
    row, theirs = found(), found(ELSEWHERE)
    administrator = with_role("administrator")
    log_in(client, administrator)
    page = client.get(reverse("administration-quarantine")).content.decode()
    assert page.count("Win.Trojan.X-1</td>") == 1
    assert all(told in page for told in ("0203:af.se", "funktion-b", "avvisat"))
    assert row.file_name not in page
    remove = reverse("administration-quarantine-remove", args=[row.pk])
    assert remove in page
    for path in (remove, f"/bilaga/{row.pk}", f"/administration/karantan/{row.pk}"):
        assert client.get(path).status_code in {404, 405}
    assert client.post(reverse("administration-quarantine-remove", args=[theirs.pk])).status_code == 404
    with django_capture_on_commit_callbacks(execute=True):
        response = client.post(remove, follow=True)
    assert "Borttagen" in response.content.decode()
    assert not (settings.MEDIA_ROOT / row.file_name).exists()
    entry = AccessLogEntry.objects.get(what="quarantine-removed")
    assert (entry.actor, entry.participant_id) == (administrator, HERE)
    client.post(remove)
    assert AccessLogEntry.objects.filter(what="quarantine-removed").count() == 1
    theirs.refresh_from_db()
    assert theirs.removed_at is None


def test_the_empty_page_says_that_nothing_was_found(mailbox, client):
    log_in(client, with_role("administrator"))
    assert (
        "Ingen skadlig kod har hittats" in client.get(reverse("administration-quarantine")).content.decode()
    )


def test_the_administrators_are_told_once_by_mail_that_has_nothing_of_the_message(mailbox, settings):
    settings.SDK_OPERATOR_MAIL = ["drift@habo.se"]
    for role, address in (("administrator", "eva@habo.se"), ("auditor", "revisor@habo.se")):
        person = with_role(role)
        person.mail_address = address
        person.save()
    elsewhere = with_role("administrator", ELSEWHERE)
    elsewhere.mail_address = "annan@annan.se"
    elsewhere.save()
    found()
    found()
    quarantine.send_alarms()
    quarantine.send_alarms()
    assert sorted(message.to[0] for message in mail.outbox) == ["drift@habo.se", "eva@habo.se"]
    told = mail.outbox[0]
    assert told.subject == "Skadlig kod har hittats"
    assert "2 filer eller texter" in told.body
    assert "https://sdk.habo.se/administration/karantan/" in told.body
    assert "Trojan" not in told.body
    assert "af.se" not in told.body
    found()
    quarantine.send_alarms()
    assert len(mail.outbox) == 4


def test_the_start_page_tells_administrators_and_nobody_else(mailbox, client):
    found()
    for person, is_told in ((with_role("administrator"), True), (with_role("auditor"), False)):
        log_in(client, person)
        assert ("Öppna karantänen" in client.get(reverse("start")).content.decode()) is is_told
    log_in(client, with_role("administrator", ELSEWHERE))
    assert "Öppna karantänen" not in client.get(reverse("start")).content.decode()


def a_message_that_waits(minutes: float) -> IncomingMessage:
    return IncomingMessage.objects.create(
        transfer_id="5c0f8f0e-3f5b-4f3f-9d3b-0d2a3b6f6f11",
        organisation=Organisation.objects.get(participant_id=HERE),
        sender="0203:af.se",
        cause="scanner-unavailable",
        arrived_at=timezone.now() - timedelta(minutes=minutes),
        due_at=timezone.now(),
    )


def test_a_scanner_that_is_away_for_longer_than_ten_minutes_is_told_of_once_a_day(mailbox, client, settings):
    settings.SDK_OPERATOR_MAIL = ["drift@habo.se"]
    row = a_message_that_waits(9)
    quarantine.send_alarms()
    assert mail.outbox == []
    ScannerAlarm.objects.update(since=timezone.now() - timedelta(minutes=10))
    quarantine.send_alarms()
    quarantine.send_alarms()
    assert [message.subject for message in mail.outbox] == ["Virusskanningen svarar inte: meddelanden väntar"]
    ScannerAlarm.objects.update(told_at=timezone.now() - timedelta(days=1))
    quarantine.send_alarms()
    assert len(mail.outbox) == 2
    log_in(client, with_role("administrator"))
    for name in ("start", "administration-quarantine"):
        page = client.get(reverse(name)).content.decode()
        assert "Virusskanningen svarar inte" in page
    row.delete()
    quarantine.send_alarms()
    assert not ScannerAlarm.objects.exists()


def test_figures_for_monitoring_tell_how_many(mailbox):
    found()
    found(ELSEWHERE)
    QuarantinedFile.objects.filter(organisation__participant_id=ELSEWHERE).update(removed_at=timezone.now())
    a_message_that_waits(1)
    figures = Client().get("/halsa/matt").content.decode()
    assert "sdk_quarantined_files 1.0" in figures
    assert "sdk_messages_waiting_for_scanner 1.0" in figures


def test_an_attachment_in_which_something_was_found_when_it_was_sent_cannot_be_opened_by_anybody(
    mailbox, client, settings, function_of_af
):
    """The scanner was away, or knew less, when it was attached."""
    address, settings.SDK_CLAMD = settings.SDK_CLAMD, "/nowhere/clamd.sock"
    person = a_member(mailbox)
    draft = composer.begin(mailbox, person)
    for name, content in (("bra.pdf", b"%PDF-1"), ("faktura.pdf", BAD)):
        draft_files.attach(draft, SimpleUploadedFile(name, content, "application/pdf"))
    draft = recipients.choose_recipient(draft.pk, draft.version, function_of_af, person)
    content = DraftForm.content_of({"subject": "Ämne", "text": "Hej"})
    conversation = send_now(draft.pk, draft.version, content, person)
    settings.SDK_CLAMD = address
    row = OutgoingMessage.objects.get()
    (kept,) = quarantined_files(
        (Found("/", "X", BytesContent(BAD)),),
        row.organisation,
        QuarantinedFile.Direction.OUT,
        message_id=row.message_id,
        counterpart=row.recipient,
        function_address="",
    )
    kept.save(force_insert=True)
    OutgoingMessage.objects.update(state="MESSAGE_EXCHANGE_ERROR", cause="malware-found", due_at=None)
    BuiltInClient().deliveries_changed([MessageKey(HERE, row.message_id)])
    log_in(client, person)
    good, bad = Attachment.objects.order_by("pk")
    assert client.get(reverse("attachment", args=[good.pk])).status_code == 200
    assert client.get(reverse("attachment", args=[bad.pk])).status_code == 404
    page = client.get(reverse("conversation", args=[conversation.pk])).content.decode()
    assert page.count("Skadlig kod: kan inte öppnas") == 1
    assert reverse("attachment", args=[bad.pk]) not in page
    bundle = io.BytesIO()
    write_bundle(conversation, bundle, made_by="Karin", made_at=timezone.now())
    assert b"bra.pdf" in bundle.getvalue()
    assert b"faktura.pdf" not in bundle.getvalue()
    assert Message.objects.get().delivery_state == "MESSAGE_EXCHANGE_ERROR"


@pytest.fixture
def function_of_af():
    from addressbook.models import FunctionAddress
    from addressbook.models import Organisation as BookOrganisation

    organisation = BookOrganisation.objects.create(book_id="1", participant_id="0203:af.se", name="AF")
    return FunctionAddress.objects.create(
        book_id="1", organisation=organisation, identifier="sdk:af", name="Arbetsträning"
    )
