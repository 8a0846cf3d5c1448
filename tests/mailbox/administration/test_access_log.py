"""The access log only grows, tells what was done without what it was about, and shows when it was touched."""

import uuid

import pytest
from django.core.management import call_command
from django.db import DatabaseError, connection, transaction
from django.urls import reverse

from mailbox import access_log
from mailbox.administration.views import access_log_pages
from mailbox.conversations import notes
from mailbox.drafts import composer, forwarding
from mailbox.models import AccessLogEntry, AccessLogHead, Attachment, FunctionMailbox, Person
from transport.message_service.models import Organisation

from .build import HERE, a_member, a_message_in, log_in, with_role

pytestmark = pytest.mark.django_db


@pytest.fixture
def mailbox(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path
    return FunctionMailbox.objects.create(participant_id=HERE, address="funktion-b", name="Mottagning")


@pytest.fixture
def person(mailbox) -> Person:
    return a_member(mailbox)


def touched(statement: str, *parameters: object) -> None:
    """What somebody with the database in their hands does."""
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE mailbox_accesslogentry DISABLE TRIGGER access_log_grows_only")
        cursor.execute(statement, parameters)
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE mailbox_accesslogentry ENABLE TRIGGER access_log_grows_only")


def faults(**options: object) -> list[tuple[int, str]]:
    return [(fault.number, fault.what) for fault in access_log.verify(HERE, **options)]


@pytest.fixture
def five(person) -> None:
    for number in range(5):
        access_log.record(person, "searched", HERE, hits=number)
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")


def test_a_chain_that_nobody_touched_is_sound(five):
    assert faults() == []


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("UPDATE mailbox_accesslogentry SET what = 'nothing' WHERE number = 3", [(3, "changed")]),
        ("UPDATE mailbox_accesslogentry SET actor_id = NULL WHERE number = 3", [(3, "changed")]),
        ("UPDATE mailbox_accesslogentry SET at = at - interval '1 hour' WHERE number = 3", [(3, "changed")]),
        ("DELETE FROM mailbox_accesslogentry WHERE number = 3", [(3, "missing")]),
        ("DELETE FROM mailbox_accesslogentry WHERE number = 5", [(5, "cut-off")]),
    ],
)
def test_what_was_touched_shows(five, statement, expected):
    touched(statement)
    assert faults() == expected


def test_an_end_that_was_cut_off_with_its_head_shows_against_a_head_that_was_kept(five):
    head = AccessLogHead.objects.get()
    kept = (head.number, head.digest)
    fourth = AccessLogEntry.objects.get(number=4)
    touched("DELETE FROM mailbox_accesslogentry WHERE number = 5")
    AccessLogHead.objects.update(number=4, digest=fourth.digest)
    assert faults() == []
    assert faults(expected=kept) == [(5, "cut-off")]


def test_the_database_refuses_to_change_and_to_remove(five):
    for change in (
        lambda: AccessLogEntry.objects.filter(number=2).update(what="x"),
        lambda: AccessLogEntry.objects.filter(number=2)._raw_delete("default"),
    ):
        with pytest.raises(DatabaseError, match="only grows"), transaction.atomic():
            change()


def test_the_command_tells_what_is_wrong_and_ends_with_it(five, capsys):
    with pytest.raises(SystemExit) as ended:
        call_command("verify_access_log")
    assert ended.value.code == 0
    head = AccessLogHead.objects.get()
    assert capsys.readouterr().out == f"{HERE}: sound, head 5:{head.digest}\n"
    touched("DELETE FROM mailbox_accesslogentry WHERE number = 2")
    with pytest.raises(SystemExit) as ended:
        call_command("verify_access_log", HERE, kept=f"5:{head.digest}")
    assert ended.value.code == 1
    assert capsys.readouterr().out == f"{HERE}: 2: is missing\n"


def test_organisations_have_chains_of_their_own(five, person):
    access_log.record(person, "searched", "0203:annan.se")
    assert AccessLogEntry.objects.get(participant_id="0203:annan.se").number == 1
    assert list(access_log.verify("0203:annan.se")) == []


@pytest.mark.django_db(transaction=True)
def test_entries_that_are_added_at_once_stand_after_each_other():
    import threading

    person, _ = Person.add(uuid.uuid4().hex, "Karin")

    def add() -> None:
        try:
            for _ in range(5):
                access_log.record(person, "searched", HERE)
        finally:
            connection.close()

    threads = [threading.Thread(target=add) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [entry.number for entry in AccessLogEntry.objects.order_by("number")] == list(range(1, 21))
    assert faults() == []


def test_opening_and_taking_out_are_noted_without_content(mailbox, person, client):
    message = a_message_in(mailbox)
    client.force_login(person, backend="mailbox.accounts.login.EidBackend")
    client.get(reverse("conversation", args=[message.conversation_id]))
    client.get(reverse("attachment", args=[Attachment.objects.get().pk]))
    opened, taken = AccessLogEntry.objects.order_by("number")
    assert (opened.what, taken.what) == ("conversation-opened", "attachment-opened")
    assert opened.actor == taken.actor == person
    assert opened.conversation_id == message.conversation.conversation_id
    assert taken.message_id == message.message_id
    said = str([entry.details for entry in (opened, taken)])
    assert message.subject not in said
    assert "a.pdf" not in said


def test_a_page_that_fetches_itself_again_opens_nothing_anew(mailbox, person, client):
    message = a_message_in(mailbox)
    client.force_login(person, backend="mailbox.accounts.login.EidBackend")
    url = reverse("conversation", args=[message.conversation_id])
    client.get(url)
    client.get(url, headers={"HX-Request": "true", "X-Background": "1"})
    assert [entry.what for entry in AccessLogEntry.objects.all()] == ["conversation-opened"]


def test_nobody_reads_unnoticed_by_saying_that_the_page_asks_by_itself(mailbox, person, client):
    message = a_message_in(mailbox)
    other = a_member(mailbox)
    url = reverse("conversation", args=[message.conversation_id])
    for somebody in (other, person):
        client.force_login(somebody, backend="mailbox.accounts.login.EidBackend")
        client.get(url, headers={"X-Background": "1"})
    assert [entry.actor for entry in AccessLogEntry.objects.order_by("number")] == [other, person]


def test_printing_is_noted(mailbox, person, client):
    message = a_message_in(mailbox)
    client.force_login(person, backend="mailbox.accounts.login.EidBackend")
    assert client.post(reverse("printed", args=[message.conversation_id])).status_code == 204
    entry = AccessLogEntry.objects.get()
    assert (entry.what, entry.conversation_id) == (
        "conversation-printed",
        message.conversation.conversation_id,
    )


@pytest.mark.parametrize(
    ("name", "form", "what"),
    [
        ("transfer-log", {"export": "csv"}, "transfer-log-exported"),
        ("transfer-log", {"export": "jsonl"}, "transfer-log-exported"),
        ("administration-retention-file", None, "retention-protocol-exported"),
        ("administration-functions-file", None, "functions-exported"),
        ("administration-statistics-file", None, "statistics-exported"),
    ],
)
def test_whatever_is_taken_out_as_a_file_is_noted(mailbox, client, name, form, what):
    person = with_role("administrator")
    log_in(client, person)
    url = reverse(name)
    response = client.post(url, form) if form else client.get(url)
    assert "attachment" in response.headers["Content-Disposition"]
    entry = AccessLogEntry.objects.get()
    assert (entry.what, entry.actor, entry.participant_id) == (what, person, HERE)
    (row,) = access_log_pages.in_words([entry])
    assert row.text != what


def test_the_heads_are_told_to_the_process_s_log(five, caplog):
    with caplog.at_level("INFO"):
        access_log.log_heads()
    fields = next(record.fields for record in caplog.records if record.message == "access_log_head")
    assert fields == {"organisation": HERE, "number": 5, "digest": AccessLogHead.objects.get().digest}


def test_what_a_search_shows_is_noted_for_each_conversation_once(mailbox, person, client):
    message, other = a_message_in(mailbox), a_message_in(mailbox)
    word = message.subject.split()[0]
    client.force_login(person, backend="mailbox.accounts.login.EidBackend")
    page = client.post(reverse("search"), {"question": word})
    assert sum(len(group.hits) for group in page.context["groups"]) == 2
    hits = {message.conversation.conversation_id, other.conversation.conversation_id}
    shown = list(AccessLogEntry.objects.filter(what="shown-in-search"))
    assert {entry.conversation_id for entry in shown} == hits
    assert len(shown) == len(hits)
    assert {(entry.actor, entry.mailbox) for entry in shown} == {(person, mailbox)}
    assert AccessLogEntry.objects.filter(what="searched").count() == 1
    assert message.subject not in str([entry.details for entry in AccessLogEntry.objects.all()])
    assert faults() == []


def test_a_search_that_shows_nothing_notes_no_conversation(mailbox, person, client):
    a_message_in(mailbox)
    client.force_login(person, backend="mailbox.accounts.login.EidBackend")
    client.post(reverse("search"), {"question": "finns-inte-någonstans"})
    assert [entry.what for entry in AccessLogEntry.objects.all()] == ["searched"]


def test_what_has_come_since_is_not_read_unnoticed_by_a_page_that_fetches_itself(mailbox, person, client):
    message = a_message_in(mailbox)
    client.force_login(person, backend="mailbox.accounts.login.EidBackend")
    url = reverse("conversation", args=[message.conversation_id])
    client.get(url)
    notes.write(message.conversation_id, a_member(mailbox), "Känsligt")
    for _ in range(2):
        client.get(url, headers={"X-Background": "1"})
    assert [entry.what for entry in AccessLogEntry.objects.all()] == ["conversation-opened"] * 2


def test_a_colleague_s_draft_that_forwards_a_message_is_not_read_unnoticed(mailbox, person, client):
    Organisation.objects.create(participant_id=HERE, name="Håbo kommun")
    message, colleague = a_message_in(mailbox), a_member(mailbox)
    draft = forwarding.begin(message, colleague)
    composer.keep(draft)
    client.force_login(person, backend="mailbox.accounts.login.EidBackend")
    for name in ("draft", "draft"):
        assert client.get(reverse(name, args=[draft.pk])).status_code == 200
    (opened,) = AccessLogEntry.objects.filter(what="draft-opened")
    assert (opened.actor, opened.mailbox) == (person, mailbox)
    assert opened.conversation_id == message.conversation.conversation_id
    client.force_login(colleague, backend="mailbox.accounts.login.EidBackend")
    client.get(reverse("draft", args=[draft.pk]))
    assert AccessLogEntry.objects.filter(what="draft-opened").count() == 1


def test_looking_a_colleague_s_draft_through_is_noted_as_well(mailbox, person, client):
    Organisation.objects.create(participant_id=HERE, name="Håbo kommun")
    draft = forwarding.begin(a_message_in(mailbox), a_member(mailbox))
    composer.keep(draft)
    client.force_login(person, backend="mailbox.accounts.login.EidBackend")
    client.post(reverse("draft", args=[draft.pk]), {"action": "discard", "version": draft.version})
    assert AccessLogEntry.objects.filter(what="draft-opened", actor=person).exists()
