"""However long a message is, a page costs no more than what a person reads; the whole text is a file."""

import subprocess
import sys

import pytest
from django.conf import settings

from mailbox.drafts import composer, forwarding
from mailbox.models import AccessLogEntry
from mailbox.search import results
from mailbox.search.highlight import LONGEST
from mailbox.texts import markdown, message_text
from tests.mailbox.build import a_member, arrives, log_in
from transport.storage import blobs

LINE = "- En **rad** med räksmörgås\n"
LONG = LINE * (2_000_000 // len(LINE))


@pytest.fixture
def parsed(monkeypatch) -> list[str]:
    """The texts that reach the parser of Markdown."""
    reached: list[str] = []
    parse = markdown._parser.parse

    def counting(text, *arguments):
        reached.append(text)
        return parse(text[:1000], *arguments)

    monkeypatch.setattr(markdown._parser, "parse", counting)
    return reached


@pytest.fixture
def karin(client, mailbox):
    person = a_member("Karin", mailbox)
    log_in(client, person)
    return person


def a_message_with(mailbox, *texts: str, conversation: str = ""):
    message = arrives(mailbox, conversation=conversation)
    document = message.documents.first()
    document.texts = list(texts)
    document.save()
    return message


@pytest.mark.django_db
def test_a_long_text_is_shown_in_part_once_and_the_whole_is_a_logged_file(client, mailbox, karin, parsed):
    message = a_message_with(mailbox, LONG)
    page = client.get(f"/konversation/{message.conversation_id}/").content.decode()
    (shown,) = parsed
    assert 190_000 < len(shown) <= 200_000
    assert shown.endswith("\n")
    assert "bara början visas här" in page
    assert f'href="/meddelande/{message.pk}/text" download' in page
    answer = client.get(f"/meddelande/{message.pk}/text")
    assert b"".join(answer.streaming_content).decode() == LONG
    assert answer["Content-Type"] == "text/plain; charset=utf-8"
    assert answer["Content-Disposition"].startswith('attachment; filename="meddelandetext-')
    assert "no-store" in answer["Cache-Control"]
    logged = AccessLogEntry.objects.filter(what="text-downloaded", actor=karin, message_id=message.message_id)
    assert logged.count() == 1


@pytest.mark.django_db
def test_a_short_text_is_shown_whole_and_nothing_is_offered(client, mailbox, karin):
    message = a_message_with(mailbox, LINE, "Och **mer**")
    page = client.get(f"/konversation/{message.conversation_id}/").content.decode()
    assert "<strong>mer</strong>" in page
    assert f"/meddelande/{message.pk}/text" not in page
    answer = client.get(f"/meddelande/{message.pk}/text")
    assert b"".join(answer.streaming_content).decode() == f"{LINE}\n\nOch **mer**"


@pytest.mark.django_db
@pytest.mark.parametrize("texts", [[LONG] * 15, ["a"] * 100_000, [LINE * 100] * 3000, ["a" * 300_000]])
def test_many_texts_cost_no_more_than_a_long_one(client, mailbox, karin, parsed, texts):
    message = a_message_with(mailbox, *texts)
    page = client.get(f"/konversation/{message.conversation_id}/").content.decode()
    assert "bara början visas här" in page
    assert sum(map(len, parsed)) <= 200_000
    assert len(parsed) <= 4_001


@pytest.mark.django_db
def test_long_messages_share_the_room_of_a_page_and_each_has_its_beginning(mailbox, parsed):
    messages = [a_message_with(mailbox, LONG) for _ in range(6)]
    budget = message_text.TextBudget()
    shown = [budget.texts_of(message) for message in messages]
    assert len(parsed) == 6
    assert all(len(text) > 3_900 for text in parsed)
    assert sum(map(len, parsed)) <= message_text.MOST_OF_A_PAGE + 4 * 4_000
    assert all(texts.is_cut for texts in shown)


@pytest.mark.django_db
def test_a_long_text_is_forwarded_in_part_with_the_whole_as_a_file(mailbox, karin):
    draft = forwarding.begin(a_message_with(mailbox, LONG), karin)
    assert len(draft.text) < 201_000
    assert "den är bifogad i sin helhet" in draft.text
    attached = draft.attachments.get()
    with blobs.open_stored(attached.file_name, attached.binding) as source:
        assert source.read().decode() == LONG


@pytest.mark.django_db
def test_what_one_writes_is_previewed_in_part(client, mailbox, karin, parsed):

    draft = composer.begin(mailbox, karin)
    page = client.post(f"/utkast/{draft.pk}/forhandsvisning", {"text": LONG}).content.decode()
    assert "bara början visas här" in page
    assert sum(map(len, parsed)) <= 200_000


def test_an_excerpt_looks_at_the_beginnings_of_the_first_texts_only(monkeypatch):
    looked_at: list[str] = []
    monkeypatch.setattr(results, "without_marks", lambda text: looked_at.append(text) or text)
    results._beginnings([LONG] * 1000)
    assert len(looked_at) == 20
    assert max(map(len, looked_at)) == LONGEST


@pytest.mark.parametrize(
    "text",
    [
        "".join("  " * depth + "- a\n" for depth in range(400)) * 5,
        "- " * 100_000,
        "> " * 100_000,
        "*" * 200_000,
        "*a _b " * 33_000,
        "1. " * 66_000,
        "#" * 200_000,
        "&#x41;" * 33_000,
    ],
    ids=["deep lists", "lists in one line", "quotes", "stars", "open pairs", "numbers", "hashes", "entities"],
)
def test_hostile_markdown_takes_little_memory(text):
    """In a process of its own, whose memory is bounded; a text of 2 MB took 500 MB."""
    script = (
        "import django; django.setup()\nimport resource, sys\nfrom mailbox.texts.message_text import "
        "rendered_beginning\ndef used(): return int(open('/proc/self/statm').read().split()[0]) * "
        "resource.getpagesize()\nmost = used() + 300 * 1024 * "
        "1024\nresource.setrlimit(resource.RLIMIT_AS, (most, "
        "most))\nresource.setrlimit(resource.RLIMIT_CPU, (120, 120))\nhtml, _ = "
        "rendered_beginning(sys.stdin.read())\nassert len(html) < 4_000_000"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        input=text,
        capture_output=True,
        text=True,
        cwd=settings.BASE_DIR,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-500:]
