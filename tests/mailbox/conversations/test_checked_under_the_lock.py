"""What is checked before a change is so when it is made: between the two, others may have been here."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection, transaction
from django.urls import reverse

from mailbox.administration import retention
from mailbox.attachments import uploads
from mailbox.conversations import assignment, labels, notes, reassignment, reminders, state_changes
from mailbox.delivery import resend
from mailbox.drafts import composer, draft_files, forwarding, recipients
from mailbox.models import Conversation, Draft, FunctionMailbox, Label, Note, Person
from tests.mailbox.administration.build import HERE, a_member, a_message_in, log_in
from transport.message_api.clients import function_patterns

WAIT = 20
PDF = b"%PDF-1.7\n"


@pytest.fixture
def mailbox(db) -> FunctionMailbox:
    return FunctionMailbox.objects.create(participant_id=HERE, address="funktion-b", name="Brevlåda")


@pytest.fixture
def other(db) -> FunctionMailbox:
    return FunctionMailbox.objects.create(participant_id=HERE, address="sdk:andra", name="Andra")


def moved(talk: Conversation, other: FunctionMailbox) -> None:
    """As when a colleague's offer has just been accepted by the other function."""
    assignment.move(assignment.locked(talk.pk), other, a_member(other, name="Per"))


ACTS = {
    "finish": lambda talk, person, _: state_changes.finish(talk.pk, person),
    "reopen": lambda talk, person, _: state_changes.reopen(talk.pk, person),
    "throw-away": lambda talk, person, _: state_changes.move_to_trash(talk.pk, person),
    "take": lambda talk, person, _: assignment.assign(talk.pk, person),
    "give-back": lambda talk, person, _: assignment.unassign(talk.pk, person),
    "remind": lambda talk, person, _: reminders.set_reminder(talk.pk, person, None),
    "note": lambda talk, person, _: notes.write(talk.pk, person, "Hej"),
    "label": lambda talk, person, _: labels.set_labels(talk.pk, person, [], seen=[]),
    "offer": lambda talk, person, _: reassignment.offer(
        talk.pk, person, to=a_member(talk.mailbox), done="a", remains="b"
    ),
    "withdraw": lambda talk, person, _: reassignment.withdraw(talk.pk, person),
    "answer": lambda _, person, message: composer.begin_answer(message, person),
    "forward": lambda _, person, message: forwarding.begin(message, person),
    "hold": lambda talk, person, _: retention.hold(person, talk),
    "release": lambda talk, person, _: retention.release(person, talk),
}


@pytest.mark.django_db
@pytest.mark.parametrize("act", ACTS)
def test_who_does_not_see_a_conversation_any_more_does_nothing_to_it(mailbox, other, act):
    person = a_member(mailbox)
    message = a_message_in(mailbox)
    talk = message.conversation
    moved(talk, other)
    before = (talk.events.count(), Draft.objects.count(), Note.objects.count())
    with pytest.raises(assignment.NotAMember):
        ACTS[act](talk, person, message)
    assert (talk.events.count(), Draft.objects.count(), Note.objects.count()) == before
    assert Conversation.objects.get().state == Conversation.State.OPEN


@pytest.mark.django_db
@pytest.mark.parametrize("act", [resend.send_again, resend.cancel])
def test_who_does_not_see_a_message_any_more_neither_resends_nor_stops_it(mailbox, other, act):
    person = a_member(mailbox)
    message = a_message_in(mailbox)
    message.direction = message.Direction.OUT
    moved(message.conversation, other)
    with pytest.raises(assignment.NotAMember):
        act(message, person)


@pytest.mark.django_db
def test_an_answer_that_has_moved_is_gone_for_who_does_not_see_it_any_more(mailbox, other):
    person = a_member(mailbox)
    message = a_message_in(mailbox)
    draft = composer.begin_answer(message, person)
    draft.mailbox = Draft.objects.select_related("mailbox").get(pk=draft.pk).mailbox
    attachment = draft_files.attach(draft, SimpleUploadedFile("a.pdf", PDF, "application/pdf"))
    moved(message.conversation, other)
    for change in (
        lambda: composer.save(draft.pk, draft.version, composer.Content({"text": "Hej"}), person),
        lambda: recipients.remove_recipient(draft.pk, draft.version, person, 0),
        lambda: draft_files.attach(draft, SimpleUploadedFile("b.pdf", PDF, "application/pdf")),
        lambda: draft_files.detach(attachment),
        lambda: composer.discard(draft, draft.version),
    ):
        with pytest.raises(composer.DraftGone):
            change()
    row = Draft.objects.get()
    assert row.text == ""
    assert row.attachments.count() == 1


def at_once(count: int, do) -> list[object]:
    """Do it in so many threads that have all begun; what each gave, or raised."""
    barrier = threading.Barrier(count, timeout=WAIT)

    def one(number: int) -> object:
        try:
            barrier.wait()
            return do(number)
        except Exception as error:  # noqa: BLE001 - told to the test
            return error
        finally:
            connection.close()

    with ThreadPoolExecutor(count) as pool:
        return [future.result(WAIT) for future in [pool.submit(one, number) for number in range(count)]]


@pytest.mark.django_db(transaction=True)
def test_files_that_are_stored_at_once_stay_within_the_message_s_room(mailbox, monkeypatch):
    draft = composer.begin(mailbox, a_member(mailbox))
    monkeypatch.setattr(uploads, "room_for_files", lambda: 100)
    stored = threading.Barrier(6, timeout=WAIT)
    store = uploads.store_upload

    def store_together(*args, **more):
        row = store(*args, **more)
        # Each has been found to have room before any is the draft's.
        stored.wait()
        return row

    monkeypatch.setattr(uploads, "store_upload", store_together)
    content = PDF + b"x" * (40 - len(PDF))
    told = at_once(
        6,
        lambda number: draft_files.attach(
            Draft.objects.select_related("mailbox").get(pk=draft.pk),
            SimpleUploadedFile(f"{number}.pdf", content, "application/pdf"),
        ),
    )
    assert sum(isinstance(each, uploads.FileRefused) and each.reason == "size" for each in told) == 4
    assert [row.size for row in draft.attachments.all()] == [40, 40]


@pytest.mark.django_db(transaction=True)
def test_labels_that_are_made_at_once_stay_within_what_a_mailbox_may_have(mailbox):
    Label.objects.bulk_create(Label(mailbox=mailbox, name=f"e{number}") for number in range(labels.MOST - 1))
    told = at_once(6, lambda number: labels.create(mailbox, f"ny {number}", "grey"))
    assert sum(isinstance(each, labels.TooMany) for each in told) == 5
    assert mailbox.labels.count() == labels.MOST


@pytest.mark.django_db(transaction=True)
def test_who_finishes_what_is_being_moved_waits_and_finds_it_gone(mailbox, other, client):
    person = a_member(mailbox)
    with transaction.atomic():
        talk = a_message_in(mailbox).conversation
    is_locked, may_end = threading.Event(), threading.Event()

    def move() -> None:
        with transaction.atomic():
            moved(talk, other)
            is_locked.set()
            assert may_end.wait(WAIT)
        connection.close()

    def finish() -> int:
        log_in(client, person)
        status = client.post(reverse("act", args=[talk.pk]), {"action": "finish"}).status_code
        connection.close()
        return status

    with ThreadPoolExecutor(2) as pool:
        moving = pool.submit(move)
        assert is_locked.wait(WAIT)
        finishing = pool.submit(finish)
        wait_for_a_waiting_query()
        may_end.set()
        moving.result(WAIT)
        assert finishing.result(WAIT) == 404
    talk.refresh_from_db()
    assert talk.state == Conversation.State.OPEN
    assert Person.objects.filter(pk=person.pk).exists()


def wait_for_a_waiting_query() -> None:
    """Until somebody waits for the lock, by the database's word."""
    pause = threading.Event()
    for _ in range(WAIT * 50):
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
                "AND wait_event_type = 'Lock'"
            )
            if cursor.fetchone()[0]:
                return
        pause.wait(0.02)
    raise AssertionError("nobody waits")


@pytest.mark.parametrize(
    ("pattern", "address", "is_allowed"),
    [
        ("*", "anything", True),
        ("a*", "ab", True),
        ("a*", "ba", False),
        ("*a", "ba", True),
        ("a*a", "a", False),
        ("a*a", "aa", True),
        ("a*b*c", "a1b2c", True),
        ("a*b*c", "a1c2b", False),
        ("*b*b*", "abba", True),
        ("*b*b*", "aba", False),
        ("a.c", "abc", False),
        ("a**b", "ab", True),
        ("*a*b*c*", "abc", False),
        ("", "", True),
        ("a\nb*", "a\nbc", True),
    ],
)
def test_a_pattern_stands_for_what_it_says(pattern, address, is_allowed):
    assert function_patterns.matches([pattern], address) is is_allowed


def test_many_stars_are_no_pattern_and_cost_nothing():
    assert not function_patterns.matches(["*a" * 200 + "*b"], "a" * 500)
    assert function_patterns.matches(["*a*b*"], "a" * 100_000 + "b")
    assert not function_patterns.matches(["*ab*ab*c"], "ab" * 100_000)
