"""Who sees what, what is shown, and that a draft is sent once."""

import os
import re
import threading
import uuid
from pathlib import Path

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from addressbook.models import FunctionAddress, Organisation
from mailbox import access
from mailbox.administration.mailboxes import appoint
from mailbox.attachments import uploads
from mailbox.delivery.inbound import deliver
from mailbox.drafts import composer, draft_files, recipients
from mailbox.drafts.forms import DraftForm
from mailbox.models import (
    Attachment,
    Conversation,
    Draft,
    FunctionMailbox,
    Membership,
    Message,
    OrganisationRole,
    Person,
)
from mailbox.texts import markdown
from tests.mailbox.build import send_now
from tests.transport.protocol.build import a_message
from transport.message_service.client_port import Delivered
from transport.message_service.models import Organisation as OwnOrganisation
from transport.message_service.models import OutgoingMessage
from transport.protocol.identifiers import ParticipantId
from transport.protocol.sdk_message.message import BytesContent, File

pytestmark = pytest.mark.django_db
HERE = "0203:habo.se"
TEMPLATES = Path(__file__).resolve().parent.parent.parent.parent / "templates"


def a_person(name: str, *mailboxes: FunctionMailbox) -> Person:
    person, _ = Person.add(uuid.uuid4().hex, name)
    for mailbox in mailboxes:
        Membership.objects.create(person=person, mailbox=mailbox)
    return person


def log_in(client, person: Person) -> None:
    client.force_login(person, backend="mailbox.accounts.login.EidBackend")


@pytest.fixture
def mailbox(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path
    OwnOrganisation.objects.create(participant_id=HERE, name="Håbo kommun")
    return FunctionMailbox.objects.create(participant_id=HERE, address="funktion-b", name="Mottagning")


@pytest.fixture
def function():
    organisation = Organisation.objects.create(book_id="1", participant_id="0203:af.se", name="AF")
    return FunctionAddress.objects.create(
        book_id="1", organisation=organisation, identifier="sdk:af", name="Arbetsträning"
    )


def arrives(mailbox: FunctionMailbox, **changes) -> Message:
    message = a_message(recipient=ParticipantId(mailbox.participant_id), **changes)
    deliver([Delivered(mailbox.participant_id, message, "0203:af.se", timezone.now())])
    return Message.objects.get(message_id=message.header.message_id)


def test_only_members_see_a_mailbox_and_what_is_in_it(mailbox, client):
    attached = (File("a.pdf", "application/pdf", BytesContent(b"%PDF-1")),)
    message = arrives(mailbox, files=attached)
    someone = a_person("Någon", mailbox)
    draft = composer.begin(mailbox, someone)
    composer.save(draft.pk, draft.version, composer.Content({"text": "Hej"}), someone)
    attachment = Attachment.objects.get()
    urls = [
        reverse("mailbox", args=[mailbox.pk]),
        reverse("conversation", args=[message.conversation_id]),
        reverse("attachment", args=[attachment.pk]),
        reverse("draft", args=[draft.pk]),
    ]
    posts = [reverse("write", args=[mailbox.pk]), reverse("answer", args=[message.pk])]
    posts += [reverse(name, args=[draft.pk]) for name in ("draft", "upload", "preview")]
    member, outsider = a_person("Medlem", mailbox), a_person("Utomstående")
    log_in(client, member)
    assert [client.get(url).status_code for url in urls] == [200] * 4
    log_in(client, outsider)
    assert [client.get(url).status_code for url in urls] == [404] * 4
    assert [client.post(url).status_code for url in posts] == [404] * 5
    client.logout()
    for url in urls:
        assert client.get(url).headers["Location"].startswith("/logga-in")


def test_a_conversation_opened_by_its_address_has_its_list_beside_it(mailbox, client):
    message, other = arrives(mailbox), arrives(mailbox)
    log_in(client, a_person("Karin", mailbox))
    page = client.get(reverse("conversation", args=[message.conversation_id]))
    assert {row.pk for row in page.context["page"].rows} == {message.conversation_id, other.conversation_id}
    assert f'id="row-{other.conversation_id}"' in page.content.decode()


def test_a_locked_person_is_cut_off_at_once(mailbox, client):
    person = a_person("Karin", mailbox)
    log_in(client, person)
    assert client.get(reverse("mailbox", args=[mailbox.pk])).status_code == 200
    Person.objects.filter(pk=person.pk).update(is_active=False)
    assert client.get(reverse("mailbox", args=[mailbox.pk])).status_code == 302
    assert not access.mailboxes_of(Person.objects.get(pk=person.pk)).exists()


def test_an_administrator_sees_no_messages(mailbox, client):
    message = arrives(mailbox)
    person = a_person("Eva")
    appoint(HERE, person, OrganisationRole.Role.ADMINISTRATOR)
    log_in(client, person)
    assert client.get(reverse("administration-mailbox", args=[mailbox.pk])).status_code == 200
    assert client.get(reverse("conversation", args=[message.conversation_id])).status_code == 404


def test_an_administrator_of_another_organisation_sees_nothing_of_this_one(mailbox, client):
    person = a_person("Annan")
    appoint("0203:annan.se", person, OrganisationRole.Role.ADMINISTRATOR)
    log_in(client, person)
    assert client.get(reverse("administration-mailbox", args=[mailbox.pk])).status_code == 404
    member = Membership.objects.create(person=a_person("X"), mailbox=mailbox)
    assert client.post(reverse("administration-remove-member", args=[member.pk])).status_code == 404
    assert client.post(reverse("administration-lock", args=[member.person_id])).status_code == 404


def test_a_delivery_is_kept_once_with_all_that_it_says(mailbox):
    message = a_message(
        recipient=ParticipantId(HERE), files=(File("b.pdf", "application/pdf", BytesContent(b"%PDF")),)
    )
    delivered = Delivered(HERE, message, "0203:af.se", timezone.now())
    deliver([delivered])
    deliver([delivered])
    row = Message.objects.get()
    conversation = Conversation.objects.get()
    assert (conversation.message_count, conversation.has_attachments, conversation.is_confidential) == (
        1,
        True,
        True,
    )
    assert row.sender_references == [{"root": "dnr", "value": "2026/117", "label": "Diarienummer"}]
    assert row.sender_persons[0]["label"] == "Karin Svensson"
    assert row.documents.get().texts == ["Hej"]
    assert Attachment.objects.get().size == 4


def test_an_attachment_is_a_download_and_never_active(mailbox, client):
    arrives(mailbox, files=(File("../../x<y>.html", "text/html", BytesContent(b"<script>1</script>")),))
    log_in(client, a_person("Karin", mailbox))
    response = client.get(reverse("attachment", args=[Attachment.objects.get().pk]))
    assert response.headers["Content-Disposition"] == 'attachment; filename="xy.html"'
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in response.headers["Content-Security-Policy"]
    assert b"".join(response.streaming_content) == b"<script>1</script>"


def test_reading_makes_a_conversation_old_for_the_reader_only(mailbox, client):
    message = arrives(mailbox)
    karin, ahmed = a_person("Karin", mailbox), a_person("Ahmed", mailbox)
    for person, expected in ((karin, True), (ahmed, True)):
        log_in(client, person)
        page = client.get(reverse("mailbox", args=[mailbox.pk])).context["page"]
        assert page.rows[0].is_unread is expected
        if person == karin:
            client.get(reverse("conversation", args=[message.conversation_id]))
            page = client.get(reverse("mailbox", args=[mailbox.pk])).context["page"]
            assert page.rows[0].is_unread is False


def test_the_number_of_queries_does_not_grow_with_the_rows(mailbox, client):
    log_in(client, a_person("Karin", mailbox))
    counts = []
    for _ in range(2):
        for _ in range(6):
            first = arrives(mailbox)
        for url in (reverse("start"), reverse("mailbox", args=[mailbox.pk])):
            with CaptureQueriesContext(
                connection,
            ) as queries:
                assert client.get(url).status_code == 200
            counts.append(len(queries))
    assert counts[:2] == counts[2:]
    for _ in range(5):
        message = a_message(recipient=ParticipantId(HERE))
        header = message.header.__class__(
            **{
                **{f: getattr(message.header, f) for f in message.header.__slots__},
                "conversation_id": str(first.conversation.conversation_id),
            }
        )
        deliver([Delivered(HERE, message.__class__(header, message.documents), "0203:af.se", timezone.now())])
    url = reverse("conversation", args=[first.conversation_id])
    client.get(url)
    with CaptureQueriesContext(connection) as queries:
        page = client.get(url)
    assert len(page.context["messages_shown"]) == 6
    # With the sidebar and the list beside it.
    assert len(queries) <= 47


def test_pages_go_by_key_and_miss_nothing(mailbox, client):
    for _ in range(60):
        arrives(mailbox)
    log_in(client, a_person("Karin", mailbox))
    seen, url = [], reverse("mailbox", args=[mailbox.pk])
    while url:
        page = client.get(url).context["page"]
        seen += [row.pk for row in page.rows]
        url = (
            f"{reverse('mailbox', args=[mailbox.pk])}?after={page.after.replace('+', '%2B')}"
            if page.after
            else ""
        )
    assert len(seen) == len(set(seen)) == 60


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("# Rubrik", "<h3>Rubrik</h3>"),
        ("###### Rubrik", "<h6>Rubrik</h6>"),
        ("**fet** och __fet__", "<p><strong>fet</strong> och <strong>fet</strong></p>"),
        ("*kursiv* och _kursiv_", "<p><em>kursiv</em> och <em>kursiv</em></p>"),
        ("* ett\n* två", "<ul>\n<li>ett</li>\n<li>två</li>\n</ul>"),
        ("1. ett\n2. två", "<ol>\n<li>ett</li>\n<li>två</li>\n</ol>"),
        ("rad ett  \nrad två", "<p>rad ett<br>\nrad två</p>"),
        ("stycke\n\nstycke", "<p>stycke</p>\n<p>stycke</p>"),
        ("<script>alert(1)</script>", "<p>&lt;script&gt;alert(1)&lt;/script&gt;</p>"),
        ("[länk](javascript:alert(1))", "<p>[länk](javascript:alert(1))</p>"),
        ("![bild](http://x/y.png)", "<p>![bild](http://x/y.png)</p>"),
        ("<http://example.com>", "<p>&lt;http://example.com&gt;</p>"),
    ],
)
def test_markdown_knows_the_listed_codes_and_nothing_else(text, html):
    assert markdown.render(text).strip() == html


def _ready(mailbox, function, person, **form) -> Draft:
    draft = composer.begin(mailbox, person)
    draft = recipients.choose_recipient(draft.pk, draft.version, function, person)
    values = {"subject": "Ämne", "text": "Text", **form}
    return composer.save(draft.pk, draft.version, DraftForm.content_of(values), person)


def _content(draft: Draft) -> composer.Content:
    return composer.Content({"subject": draft.subject, "text": draft.text})


def test_the_draft_is_locked_in_the_query_that_checks_it(mailbox, function):
    person = a_person("Karin", mailbox)
    draft = _ready(mailbox, function, person)
    with CaptureQueriesContext(connection) as queries:
        send_now(draft.pk, draft.version, _content(draft), person)
    reads = [
        q["sql"] for q in queries if q["sql"].startswith("SELECT") and '"mailbox_draft"."version"' in q["sql"]
    ]
    assert reads
    assert all("FOR UPDATE" in sql for sql in reads if '"mailbox_draft"."id" = ' in sql)


@pytest.mark.django_db(transaction=True)
def test_two_who_press_send_at_once_send_once(mailbox, function):
    person = a_person("Karin", mailbox)
    draft = _ready(mailbox, function, person)
    outcomes = []

    def press() -> None:
        try:
            send_now(draft.pk, draft.version, _content(draft), person)
            outcomes.append("sent")
        except (composer.DraftGone, composer.DraftChanged, composer.DraftOnItsWay):
            outcomes.append("gone")
        finally:
            connection.close()

    threads = [threading.Thread(target=press) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["gone"] * 4 + ["sent"]
    assert OutgoingMessage.objects.count() == Message.objects.count() == 1


def test_an_answer_returns_the_sender_s_reference_in_the_same_conversation(mailbox, function):
    person = a_person("Karin", mailbox)
    message = arrives(mailbox)
    draft = composer.begin_answer(message, person)
    assert draft.subject == "Sv: Kallelse"
    assert composer.begin_answer(message, person).pk == draft.pk
    draft = composer.save(draft.pk, draft.version, composer.Content({"text": "Svar"}), person)
    conversation = send_now(draft.pk, draft.version, composer.Content({"text": "Svar"}), person)
    sent = Message.objects.get(direction="out")
    assert conversation == message.conversation
    assert sent.ref_to_message_id == message.message_id
    assert sent.recipient_references == message.sender_references


def test_what_is_missing_is_told_for_each_field_and_what_was_written_is_kept(mailbox, client):
    person = a_person("Karin", mailbox)
    log_in(client, person)
    draft = composer.begin(mailbox, person)
    form = {"action": "send", "version": draft.version, "text": "Det jag skrev", "reference": "123"}
    response = client.post(reverse("draft", args=[draft.pk]), form)
    assert response.status_code == 422
    assert set(response.context["errors"]) == {"recipient", "subject", "reference_kind"}
    draft.refresh_from_db()
    assert draft.text == "Det jag skrev"
    assert not OutgoingMessage.objects.exists()


@pytest.mark.parametrize("version", ["", "x", "-1", "9" * 50, "²"])
def test_a_version_that_is_none_overwrites_nothing(mailbox, client, version):
    person = a_person("Karin", mailbox)
    log_in(client, person)
    draft = composer.begin(mailbox, person)
    form = {"action": "save", "version": version, "text": "Annan text"}
    response = client.post(reverse("draft", args=[draft.pk]), form)
    assert response.status_code == 409
    assert "Annan text" in response.content.decode()
    draft.refresh_from_db()
    assert draft.text == ""


def test_a_recipient_that_has_left_the_address_book_cannot_be_written_to(mailbox, function):
    person = a_person("Karin", mailbox)
    draft = _ready(mailbox, function, person)
    FunctionAddress.objects.update(gone_at=timezone.now())
    with pytest.raises(composer.DraftIncomplete) as incomplete:
        send_now(draft.pk, draft.version, _content(draft), person)
    assert set(incomplete.value.errors) == {"recipient"}


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.exe", b"MZ", "type"),
        ("a.pdf", b"<html>", "content"),
        ("a.pdf", b"", "empty"),
        ("a.pdf", b"%PDF-" + b"x" * 5000, "size"),
    ],
)
def test_files_are_checked_again_on_the_server(mailbox, settings, name, content, reason):
    settings.SDK_MAX_MESSAGE_BYTES = 256 * 1024 + 4000
    draft = composer.begin(mailbox, a_person("Karin", mailbox))
    with pytest.raises(uploads.FileRefused) as refused:
        draft_files.attach(draft, SimpleUploadedFile(name, content))
    assert refused.value.reason == reason
    assert not draft.attachments.exists()


def test_a_draft_that_is_thrown_away_takes_its_files_along(
    mailbox, settings, django_capture_on_commit_callbacks
):
    draft = composer.begin(mailbox, a_person("Karin", mailbox))
    draft_files.attach(draft, SimpleUploadedFile("a.pdf", b"%PDF-1.7"))
    assert len([path for path in (settings.MEDIA_ROOT / "drafts").rglob("*") if path.is_file()]) == 1
    with django_capture_on_commit_callbacks(execute=True):
        composer.discard(draft, Draft.objects.get().version)
    assert [path for path in (settings.MEDIA_ROOT / "drafts").rglob("*") if path.is_file()] == []


def test_files_that_no_message_holds_are_found_and_removed(mailbox, settings):
    arrives(mailbox, files=(File("a.pdf", "application/pdf", BytesContent(b"%PDF")),))
    kept = Path(settings.MEDIA_ROOT) / Attachment.objects.get().file_name
    forgotten = kept.with_name(str(uuid.uuid4()))
    young = kept.with_name(str(uuid.uuid4()))
    for path in (forgotten, young):
        path.write_bytes(b"what a transaction left that came to nothing")
    long_ago = timezone.now().timestamp() - 7200
    for path in (forgotten, kept):
        os.utime(path, (long_ago, long_ago))
    assert uploads.remove_forgotten() == 1
    assert (kept.exists(), young.exists(), forgotten.exists()) == (True, True, False)


def test_a_personal_number_is_not_kept_readable():
    person, _ = Person.add("19121212-1212", "Tolvan")
    assert Person.objects.by_subject("191212121212") == person
    with connection.cursor() as cursor:
        cursor.execute("SELECT row_to_json(p)::text FROM mailbox_person p")
        assert "1212" not in cursor.fetchone()[0].replace(person.subject_key, "")


def test_pages_have_a_policy_and_nothing_inline(client, db):
    response = client.get("/logga-in")
    policy = response.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    for template in TEMPLATES.rglob("*.html"):
        text = template.read_text()
        assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\son\w+=|\sstyle=", text), template.name
