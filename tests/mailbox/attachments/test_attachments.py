"""Attachments: looked at without running, taken out one or all, each of it in the access log."""

import io
import zipfile
from dataclasses import replace

import pypdfium2
import pytest

from mailbox import access_log
from mailbox.attachments import previews
from mailbox.models import AccessLogEntry, Attachment, Message
from tests.mailbox.build import a_member, arrives, log_in
from tests.pages import in_one_line
from transport.protocol.sdk_message.message import BytesContent, File

pytestmark = pytest.mark.django_db


def a_pdf(pages: int = 1) -> bytes:
    document = pypdfium2.PdfDocument.new()
    for _ in range(pages):
        document.new_page(595, 842)
    made = io.BytesIO()
    document.save(made)
    return made.getvalue()


def a_file(name: str, content_type: str, content: bytes) -> File:
    return File(name, content_type, BytesContent(content))


def shown(client, attachment: Attachment):
    return client.get(f"/bilaga/{attachment.pk}/visa")


@pytest.fixture
def karin(client, mailbox):
    person = a_member("Karin", mailbox)
    log_in(client, person)
    return person


def test_the_page_tells_name_kind_and_size_and_offers_to_show_or_take(client, mailbox, karin):
    files = (
        a_file("plan.pdf", "application/pdf", b"%PDF-1" + b"x" * 5000),
        a_file("a.odt", "application/x-a", b"x"),
    )
    message = arrives(mailbox, files=files)
    page = in_one_line(client.get(f"/konversation/{message.conversation_id}/").content.decode())
    pdf, other = Attachment.objects.order_by("pk")
    assert "PDF-dokument, 4,9" in page
    assert f'href="/bilaga/{pdf.pk}/visa"' in page
    assert f'href="/bilaga/{other.pk}/visa"' not in page
    assert f'href="/bilaga/{other.pk}" download' in page
    assert f'href="/meddelande/{message.pk}/bilagor" download' in page
    assert "Hämta alla 2 bilagor" in page


def test_a_pdf_is_shown_as_pictures_of_its_pages_and_says_when_there_are_more(client, mailbox, karin):
    arrives(mailbox, files=(a_file("lång.pdf", "application/pdf", a_pdf(previews.PDF_PAGES + 2)),))
    answer = shown(client, Attachment.objects.get())
    page = answer.content.decode()
    assert page.count('src="data:image/jpeg;base64,/9j/') == previews.PDF_PAGES
    assert 'alt="Sida 1 av 10"' in page
    assert "De första 8 av 10 sidor visas" in page


def test_a_pdf_that_is_broken_or_endless_is_said_to_be_so(client, mailbox, karin, monkeypatch):
    arrives(mailbox, files=(a_file("trasig.pdf", "application/pdf", b"%PDF-1.7 nothing more"),))
    assert "kan inte förhandsvisas" in shown(client, Attachment.objects.get()).content.decode()
    limits = replace(previews._PICTURES.limits, seconds=0)
    monkeypatch.setattr(previews, "_PICTURES", replace(previews._PICTURES, limits=limits))
    with pytest.raises(previews.PreviewFailed):
        previews.pictures_of(io.BytesIO(a_pdf()))


@pytest.mark.parametrize(
    ("content_type", "content"),
    [
        ("image/png", b"\x89PNG\r\n\x1a\n<script>alert(1)</script>"),
        ("text/plain", b"<script>alert(1)</script> r\xe4ksm\xf6rg\xe5s"),
        ("application/pdf", b"%PDF-1 broken"),
    ],
)
def test_what_is_shown_runs_nothing_loads_nothing_and_stands_in_our_frames_only(
    client, mailbox, karin, content_type, content
):
    arrives(mailbox, files=(a_file("a", content_type, content),))
    answer = shown(client, Attachment.objects.get())
    policy = answer["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "sandbox;" in policy
    assert "script-src" not in policy
    assert "frame-ancestors 'self'" in policy
    assert answer["X-Frame-Options"] == "SAMEORIGIN"
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Cache-Control"] == "private, no-store"
    if content_type == "image/png":
        assert answer["Content-Type"] == "image/png"
    else:
        assert b"<script" not in answer.content
    if content_type == "text/plain":
        assert "&lt;script&gt;" in answer.content.decode()
        assert "räksmörgås" in answer.content.decode()


@pytest.mark.parametrize(
    "content_type", ["text/html", "image/svg+xml", "application/xhtml+xml", "text/xml", ""]
)
def test_what_could_run_is_never_shown(client, mailbox, karin, content_type):
    arrives(mailbox, files=(a_file("a.html", content_type, b"<script>alert(1)</script>"),))
    attachment = Attachment.objects.get()
    assert shown(client, attachment).status_code == 404
    taken = client.get(f"/bilaga/{attachment.pk}")
    assert taken["Content-Disposition"].startswith("attachment")
    assert "sandbox" in taken["Content-Security-Policy"]


def test_all_attachments_come_as_a_zip_with_names_kept_apart_and_each_is_logged(client, mailbox, karin):
    files = (
        a_file("../../etc/plan.pdf", "application/pdf", b"%PDF-1"),
        a_file("plan.pdf", "application/pdf", b"%PDF-2"),
        a_file("brev.txt", "text/plain", b"x" * 200_000),
    )
    message = arrives(mailbox, files=files)
    AccessLogEntry.objects.count()
    answer = client.get(f"/meddelande/{message.pk}/bilagor")
    assert answer.streaming
    with zipfile.ZipFile(io.BytesIO(b"".join(answer.streaming_content))) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == ["plan.pdf", "plan (2).pdf", "brev.txt"]
        assert archive.read("plan (2).pdf") == b"%PDF-2"
        assert len(archive.read("brev.txt")) == 200_000
    logged = AccessLogEntry.objects.filter(
        what="attachment-opened", actor=karin, message_id=message.message_id
    )
    assert logged.count() == 3
    assert {entry.details["sha256"] for entry in logged} == set(
        Attachment.objects.values_list("sha256", flat=True)
    )


def test_looking_is_logged_as_taking_is(client, mailbox, karin):
    arrives(mailbox, files=(a_file("a.txt", "text/plain", b"x"),))
    shown(client, Attachment.objects.get())
    assert AccessLogEntry.objects.filter(what="attachment-opened", actor=karin).count() == 1
    assert list(access_log.verify(mailbox.participant_id)) == []


def test_nobody_else_sees_shown_attachments_archives_or_evidence(client, mailbox):
    message = arrives(mailbox, files=(a_file("a.txt", "text/plain", b"x"),))
    log_in(client, a_member("Utomstående"))
    addresses = (
        f"/bilaga/{Attachment.objects.get().pk}/visa",
        f"/meddelande/{message.pk}/bilagor",
        f"/meddelande/{message.pk}/bevis",
        f"/meddelande/{message.pk}/bevis/envelope",
    )
    assert [client.get(address).status_code for address in addresses] == [404] * 4
    assert not AccessLogEntry.objects.filter(what="attachment-opened").exists()


def test_a_confidential_message_is_marked_by_itself(client, mailbox, karin):
    message = arrives(mailbox)
    Message.objects.filter(pk=message.pk).update(is_confidential=True)
    # Of a conversation that is confidential the head says it once.
    type(message.conversation).objects.filter(pk=message.conversation_id).update(is_confidential=False)
    page = client.get(f"/konversation/{message.conversation_id}/").content.decode()
    article = page[page.index("<article") : page.index("</article>")]
    assert "is-secret" in article
    assert 'class="badge secret">Sekretess<' in in_one_line(article)
    Message.objects.filter(pk=message.pk).update(is_confidential=False)
    page = client.get(f"/konversation/{message.conversation_id}/").content.decode()
    article = page[page.index("<article") : page.index("</article>")]
    assert "is-secret" not in article
    assert "badge secret" not in article


def test_the_evidence_page_says_what_there_is_and_leads_back(client, mailbox, karin):
    message = arrives(mailbox)
    page = client.get(f"/meddelande/{message.pk}/bevis").content.decode()
    assert page.count("Finns inte") == 3
    assert f"/konversation/{message.conversation_id}/?meddelande={message.pk}" in page
    missing = client.get(f"/meddelande/{message.pk}/bevis/envelope")
    assert missing["Location"] == f"/meddelande/{message.pk}/bevis"
