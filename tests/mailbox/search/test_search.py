"""What is found, in which order, for whom; and that nobody can read it out of the index."""

import re
import uuid
from datetime import datetime, timedelta
from urllib.parse import quote
from zoneinfo import ZoneInfo

import pytest
from django.core.management import call_command
from django.db import connection
from django.template.loader import render_to_string
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from mailbox.conversations import labels, notes
from mailbox.delivery.inbound import deliver
from mailbox.drafts import composer
from mailbox.models import (
    AccessLogEntry,
    Attachment,
    Draft,
    DraftEntry,
    FunctionMailbox,
    Label,
    Membership,
    Message,
    Note,
    NoteEntry,
    Person,
    SearchEntry,
    VocabularyWord,
)
from mailbox.search import Filters, Position, find, index
from mailbox.search.stems import stems_of
from mailbox.search.words import terms_of, words_and_numbers
from tests.pages import in_one_line
from tests.transport.protocol.build import a_message
from transport.message_service.client_port import Delivered
from transport.message_service.models import Organisation
from transport.protocol.identifiers import ParticipantId
from transport.protocol.sdk_message.message import BytesContent, File

from .sample import LETTERS, QUESTIONS, Letter

pytestmark = pytest.mark.django_db
HERE = "0203:habo.se"
SWEDISH_TIME = ZoneInfo("Europe/Stockholm")
START = datetime(2026, 1, 12, 9, tzinfo=SWEDISH_TIME)


def a_mailbox(name: str = "Mottagning", participant: str = HERE) -> FunctionMailbox:
    Organisation.objects.get_or_create(participant_id=participant, defaults={"name": participant})
    return FunctionMailbox.objects.create(
        participant_id=participant, address=f"{name}:{participant}", name=name
    )


def a_member(*mailboxes: FunctionMailbox) -> Person:
    person, _ = Person.add(uuid.uuid4().hex, "Karin")
    for mailbox in mailboxes:
        Membership.objects.create(person=person, mailbox=mailbox)
    return person


def kept(mailbox: FunctionMailbox, letter: Letter, at: datetime) -> Message:
    """A letter as a message of the mailbox, indexed."""
    organisation, function = letter.sender
    from mailbox.models import Conversation, Document

    conversation = Conversation.objects.create(
        mailbox=mailbox,
        conversation_id=uuid.uuid4(),
        subject=letter.subject,
        counterpart=f"{organisation}, {function}",
        last_activity_at=at,
    )
    message = Message.objects.create(
        conversation=conversation,
        direction=Message.Direction.IN,
        message_id=uuid.uuid4(),
        subject=letter.subject,
        is_confidential=False,
        counterpart_participant="0203:annan.se",
        counterpart_organisation=organisation,
        counterpart_function=function,
        sender_persons=[{"root": "", "value": "", "label": name} for name in letter.persons],
        sender_references=[
            {"root": root, "value": value, "label": "Diarienummer"} for root, value in letter.references
        ],
        at=at,
    )
    document = Document.objects.create(message=message, position=1, name=letter.subject, texts=[letter.text])
    for name in letter.files:
        Attachment.objects.create(
            document=document, name=name, content_type="application/pdf", size=1, sha256="", file_name="x"
        )
    index.add(message)
    return message


@pytest.fixture
def mailbox():
    return a_mailbox()


@pytest.fixture
def letters(mailbox) -> dict[int, str]:
    """The sample in the mailbox: the name of each message."""
    rows = {
        kept(mailbox, letter, START + timedelta(days=day)).pk: letter.name
        for day, letter in enumerate(LETTERS)
    }
    index.index_missing()
    return rows


def found(person: Person, question: str, **filters: object) -> list[int]:
    return [hit.row.pk for hit in find(person, question, Filters(**filters)).hits]


def page_of(client, asked: dict[str, str]) -> str:
    """The page that answers a question."""
    return in_one_line(client.post(reverse("search"), asked).content.decode())


def test_what_people_ask_finds_first_what_they_mean(mailbox, letters, capsys):
    person = a_member(mailbox)
    missed = []
    for question, expected, kind in QUESTIONS:
        names = [letters[key] for key in found(person, question)]
        if names[:1] != [expected]:
            missed.append(f"{question!r} ({kind}): {expected} expected, not {names[:3]}")
    share = 1 - len(missed) / len(QUESTIONS)
    with capsys.disabled():
        print(f"\nsearch: {share:.0%} of {len(QUESTIONS)} questions find first what is meant")  # noqa: T201
        print("".join(f"  {line}\n" for line in missed), end="")  # noqa: T201
    assert len(QUESTIONS) >= 60
    assert share >= 0.97


@pytest.mark.parametrize("question", ["kärnkraft", "bibliotek", "199901019999", "2024/9", "och", "§", "   "])
def test_what_nobody_wrote_finds_nothing(mailbox, letters, question):
    assert found(a_member(mailbox), question) == [] or question == "och"


def test_exact_matches_come_first_and_then_the_newest(mailbox):
    at = [START + timedelta(hours=hour) for hour in range(4)]
    sender = ("AF", "Mottagning")
    exact_old = kept(mailbox, Letter("", "Kontor", "ett kontor", sender), at[0])
    exact_new = kept(mailbox, Letter("", "Kontor", "kontor", sender), at[1])
    form_old = kept(mailbox, Letter("", "Kontoret", "kontoret", sender), at[2])
    form_new = kept(mailbox, Letter("", "Kontoren", "socialkontoren", sender), at[3])
    index.index_missing()
    order = [exact_new.pk, exact_old.pk, form_new.pk, form_old.pk]
    assert found(a_member(mailbox), "kontor") == order


def test_every_word_of_a_question_has_to_be_there(mailbox, letters):
    person = a_member(mailbox)
    assert found(person, "orosanmälan elev")
    assert found(person, "orosanmälan sjukpenning") == []


def test_only_what_the_person_may_see_is_found(mailbox, letters):
    beside, elsewhere = a_mailbox("Ekonomi"), a_mailbox("Deras", "0203:annan.se")
    assert found(a_member(beside), "orosanmälan") == []
    assert found(a_member(elsewhere), "orosanmälan") == []
    assert found(a_member(), "orosanmälan") == []
    locked = a_member(mailbox)
    assert len(found(locked, "orosanmälan")) == 1
    Person.objects.update(is_active=False)
    locked.refresh_from_db()
    assert found(locked, "orosanmälan") == []


def test_an_index_that_lags_behind_shows_nobody_another_s_message(mailbox, letters):
    """The entry still names the mailbox that the conversation has left."""
    beside = a_mailbox("Ekonomi")
    key = next(key for key, name in letters.items() if name == "school")
    conversation = Message.objects.get(pk=key).conversation
    conversation.mailbox = beside
    conversation.save()
    assert found(a_member(mailbox), "orosanmälan") == []
    index.index_missing(everything=True)
    assert found(a_member(beside), "orosanmälan") == [key]


def test_a_member_in_two_organisations_finds_in_both(mailbox, letters):
    elsewhere = a_mailbox("Deras", "0203:annan.se")
    theirs = kept(elsewhere, LETTERS[0], START + timedelta(days=50))
    person = a_member(mailbox, elsewhere)
    hits = found(person, "orosanmälan")
    assert hits[0] == theirs.pk
    assert len(hits) == 2


# --- Internal notes


def a_note(mailbox: FunctionMailbox, text: str, at: datetime = START) -> Note:
    """A note on a letter that says something else."""
    talk = kept(mailbox, Letter("", "Ärende", "", ("A", "B")), at).conversation
    note, _ = notes.write(talk.pk, a_member(mailbox), text)
    Note.objects.filter(pk=note.pk).update(at=at)
    NoteEntry.objects.filter(pk=note.pk).update(at=at)
    return note


def found_notes(person: Person, question: str, **filters: object) -> list[Note]:
    return [hit.row for hit in find(person, question, Filters(**filters)).hits if isinstance(hit.row, Note)]


@pytest.mark.parametrize(
    "question", ["familjehemmet", "familjehem", "famlijehemmet", "sekreterare", "19121212-1212", "1212121212"]
)
def test_a_note_is_found_as_a_message_is(mailbox, question):
    note = a_note(mailbox, "Ring familjehemmen och socialsekreteraren om 191212121212")
    index.index_missing()
    assert found_notes(a_member(mailbox), question) == [note]


def test_only_notes_that_the_person_may_see_are_found(mailbox):
    beside, elsewhere = a_mailbox("Ekonomi"), a_mailbox("Deras", "0203:annan.se")
    note = a_note(mailbox, "familjehem")
    assert found_notes(a_member(mailbox), "familjehem") == [note]
    assert found_notes(a_member(beside), "familjehem") == []
    assert found_notes(a_member(elsewhere), "familjehem") == []
    assert found_notes(a_member(beside, elsewhere), "familjehem", mailbox_id=mailbox.pk) == []
    assert found_notes(a_member(), "familjehem") == []


def test_an_index_that_lags_behind_shows_nobody_another_s_note(mailbox):
    beside = a_mailbox("Ekonomi")
    note = a_note(mailbox, "familjehem")
    note.conversation.mailbox = beside
    note.conversation.save()
    assert found_notes(a_member(mailbox), "familjehem") == []
    index.index_missing(everything=True)
    assert found_notes(a_member(beside), "familjehem") == [note]


def test_a_note_that_was_taken_away_is_found_no_more_and_one_that_was_changed_by_what_it_says(mailbox):
    person = a_member(mailbox)
    note, other = a_note(mailbox, "familjehem"), a_note(mailbox, "familjehem")
    notes.remove(other, other.written_by)
    assert found_notes(person, "familjehem") == [note]
    assert NoteEntry.objects.count() == 1
    note.text = "jourhem"
    note.save()
    index.add(note)
    assert found_notes(person, "familjehem") == []
    assert found_notes(person, "jourhem") == [note]


def test_notes_that_were_missed_are_found_and_indexed(mailbox):
    person, note = a_member(mailbox), a_note(mailbox, "socialsekreteraren")
    NoteEntry.objects.all().delete()
    VocabularyWord.objects.all().delete()
    assert index.index_missing() == 1 + Message.objects.count()
    assert found_notes(person, "sekreterare") == [note], "learned too"
    NoteEntry.objects.update(words=[])
    call_command("reindex_messages", "--all")
    assert found_notes(person, "sekreterare") == [note]


def test_filters_hold_for_notes(mailbox):
    person, note = a_member(mailbox), a_note(mailbox, "kontor")
    message = kept(mailbox, Letter("", "Kontor", "", ("A", "B")), START)
    label = Label.objects.create(mailbox=mailbox, name="Brådskande")
    assert found_notes(person, "kontor", label_id=label.pk) == []
    labels.set_labels(note.conversation_id, person, [label.pk], seen=[])
    assert found_notes(person, "kontor", label_id=label.pk) == [note]
    assert found(person, "kontor") == [message.pk, note.pk]
    assert found(person, "kontor", are_notes=True) == [note.pk]
    assert found(person, "kontor", is_outgoing=False) == [message.pk]
    assert found_notes(person, "kontor", has_attachments=True) == []
    assert found_notes(person, "kontor", is_confidential=True) == []
    note.conversation.__class__.objects.update(is_confidential=True)
    assert found_notes(person, "kontor", is_confidential=True) == [note]
    assert found_notes(person, "kontor", since=START, until=START + timedelta(seconds=1)) == [note]
    assert found_notes(person, "kontor", since=START + timedelta(seconds=1)) == []
    assert found_notes(person, "kontor", until=START) == []


def test_pages_of_messages_and_notes_miss_nothing_and_repeat_nothing(mailbox):
    moments = [START + timedelta(minutes=number // 3) for number in range(30)]
    expected = {("note", a_note(mailbox, "kontor", at).pk) for at in moments}
    for at in moments[:9]:
        Draft.objects.filter(pk=a_draft(mailbox, text="kontor").pk).update(changed_at=at)
    index.index_missing()
    expected |= {("draft", pk) for pk in Draft.objects.values_list("pk", flat=True)}
    expected |= {("message", kept(mailbox, Letter("", "Kontor", "", ("A", "B")), at).pk) for at in moments}
    person, seen, after = a_member(mailbox), [], ""
    while True:
        page = find(person, "kontor", after=after)
        seen += [(hit.row._meta.model_name, hit.row.pk) for hit in page.hits]
        moments = [hit.row.changed_at if isinstance(hit.row, Draft) else hit.row.at for hit in page.hits]
        assert moments == sorted(moments, reverse=True)
        after = page.next_after
        if not after:
            break
    assert len(seen) == 69
    assert set(seen) == expected


def test_the_number_of_queries_does_not_grow_with_the_notes_found(mailbox, client):
    client.force_login(a_member(mailbox), backend="mailbox.accounts.login.EidBackend")
    kept(mailbox, Letter("", "Kontor", "", ("A", "B")), START)
    counts = []
    for count in (1, 12):
        for _ in range(count):
            a_note(mailbox, "kontor")
        client.post(reverse("search"), {"question": "kontor"})
        with CaptureQueriesContext(connection) as queries:
            assert client.post(reverse("search"), {"question": "kontor"}).status_code == 200
        counts.append(len(queries))
        asked = [query["sql"] for query in queries if "mailbox_noteentry" in query["sql"]]
        assert asked
        assert all("mailbox_searchentry" in sql for sql in asked), "in the query that asks for messages"
    assert counts[0] == counts[1]


def test_a_hit_says_that_it_is_a_note_and_leads_to_it(mailbox, client):
    note = a_note(mailbox, "Ring <b>familjehemmet</b>")
    client.force_login(a_member(mailbox), backend="mailbox.accounts.login.EidBackend")
    html = page_of(client, {"question": "familjehem"})
    assert "Intern anteckning</span> Karin" in html
    assert "Ring &lt;b&gt;<mark>familjehemmet</mark>&lt;/b&gt;" in html
    assert f'"{reverse("conversation", args=[note.conversation_id])}#anteckning-{note.pk}"' in html
    only = page_of(client, {"question": "familjehem", "among": "received"})
    assert "Inga träffar" in only
    page = client.get(reverse("conversation", args=[note.conversation_id])).content.decode()
    assert f'id="anteckning-{note.pk}"' in page


# --- Drafts


def a_draft(mailbox: FunctionMailbox, **values: object) -> Draft:
    """A draft that the sweep has found."""
    draft = Draft.objects.create(mailbox=mailbox, **values)
    index.index_missing()
    return draft


def found_drafts(person: Person, question: str, **filters: object) -> list[Draft]:
    hits = find(person, question, Filters(**filters)).hits
    return [hit.row for hit in hits if isinstance(hit.row, Draft)]


@pytest.mark.parametrize("question", ["planering", "familjehem", "2026/117", "Kalle", "Uppsala", "underlag"])
def test_a_draft_is_found_by_all_that_it_says(mailbox, question):
    draft = Draft.objects.create(
        mailbox=mailbox,
        subject="Planering",
        text="Om familjehemmet",
        reference_kind="Diarienummer",
        reference="SN 2026/117",
        person_name="Kalle Ek",
        recipient_organisation="Region Uppsala",
    )
    draft.attachments.create(name="ett_underlag.pdf", content_type="application/pdf", size=1)
    index.index_missing()
    assert found_drafts(a_member(mailbox), question) == [draft]


def test_only_drafts_that_the_person_may_see_are_found(mailbox):
    beside = a_mailbox("Ekonomi")
    draft = a_draft(mailbox, text="familjehem")
    assert found_drafts(a_member(mailbox), "familjehem") == [draft]
    assert found_drafts(a_member(beside), "familjehem") == []
    assert found_drafts(a_member(), "familjehem") == []
    Draft.objects.filter(pk=draft.pk).update(mailbox=beside)
    assert found_drafts(a_member(mailbox), "familjehem") == [], "though the index lags behind"


def test_a_draft_is_found_by_what_it_says_now_and_no_more_when_it_is_gone(mailbox):
    person, draft = a_member(mailbox), a_draft(mailbox, text="familjehem")
    words = VocabularyWord.objects.count()
    content = composer.Content({"text": "jourhem"})
    composer.save(draft.pk, draft.version, content, person)
    index.index_missing()
    assert found_drafts(person, "familjehem") == []
    assert found_drafts(person, "jourhem") == [draft]
    assert VocabularyWord.objects.count() == words, "what is being written teaches nothing"
    with CaptureQueriesContext(connection) as queries:
        index.index_missing()
    assert not any("draftentry" in query["sql"] and "SELECT" not in query["sql"] for query in queries)
    Draft.objects.all().delete()
    assert found_drafts(person, "jourhem") == []
    assert not DraftEntry.objects.exists()


def test_a_draft_that_is_sent_meanwhile_is_left_alone(mailbox, monkeypatch):
    Draft.objects.create(mailbox=mailbox, text="familjehem")

    def sent(words: object) -> dict[str, str]:
        Draft.objects.all().delete()
        return {}

    monkeypatch.setattr(index, "stems_of", sent)
    index.index_missing()
    assert not DraftEntry.objects.exists()


def test_filters_hold_for_drafts(mailbox):
    person, draft = a_member(mailbox), a_draft(mailbox, subject="Kontor")
    label = Label.objects.create(mailbox=mailbox, name="Brådskande")
    message = kept(mailbox, Letter("", "Kontor", "", ("A", "B")), START)
    note = a_note(mailbox, "kontor")
    assert found(person, "kontor") == [draft.pk, message.pk, note.pk]
    assert found(person, "kontor", are_drafts=True) == [draft.pk]
    assert found_drafts(person, "kontor", are_notes=True) == []
    assert found_drafts(person, "kontor", is_outgoing=True) == []
    assert found_drafts(person, "kontor", label_id=label.pk) == []
    assert found_drafts(person, "kontor", are_drafts=True, label_id=label.pk) == []
    assert found_drafts(person, "kontor", has_attachments=True) == []
    assert found_drafts(person, "kontor", is_confidential=True) == []
    draft.attachments.create(name="a.pdf", content_type="application/pdf", size=1)
    Draft.objects.update(is_confidential=True)
    assert found_drafts(person, "kontor", has_attachments=True, is_confidential=True) == [draft]


def test_a_hit_says_that_it_is_a_draft_and_leads_to_it(mailbox, client):
    draft = a_draft(mailbox, subject="<i>Planering</i>", text="Om familjehemmet")
    client.force_login(a_member(mailbox), backend="mailbox.accounts.login.EidBackend")
    html = page_of(client, {"question": "familjehem", "among": "drafts"})
    assert ">Utkast</span> Till Ingen mottagare än" in html
    assert "<mark>familjehemmet</mark>" in html
    assert f'"{reverse("draft", args=[draft.pk])}"' in html
    assert "&lt;i&gt;" in html


def test_filters_narrow_and_never_widen(mailbox, letters):
    beside = a_mailbox("Ekonomi")
    person = a_member(mailbox)
    assert found(person, "uppsala", mailbox_id=beside.pk) == []
    everything = found(person, "uppsala")
    assert len(everything) > 2
    assert found(person, "uppsala", is_outgoing=False) == everything
    assert found(person, "uppsala", is_outgoing=True) == []
    assert found(person, "uppsala", is_confidential=True) == []
    with_files = found(person, "uppsala", has_attachments=True)
    assert 0 < len(with_files) < len(everything)
    since = START + timedelta(days=5)
    assert found(person, "uppsala", since=since) + found(person, "uppsala", until=since) == everything


def test_pages_of_hits_miss_nothing_and_repeat_nothing(mailbox):
    expected = [
        kept(mailbox, Letter("", "Kontor", "", ("A", "B")), START + timedelta(minutes=number)).pk
        for number in range(30)
    ] + [
        kept(mailbox, Letter("", "Kontoret", "", ("A", "B")), START + timedelta(minutes=number)).pk
        for number in range(25)
    ]
    person, seen, after = a_member(mailbox), [], ""
    while True:
        page = find(person, "kontor", after=after)
        seen += [hit.row.pk for hit in page.hits]
        after = page.next_after
        if not after:
            break
    assert len(seen) == len(set(seen)) == 55
    assert set(seen[:30]) == set(expected[:30])


@pytest.mark.parametrize(
    "after", ["x", "9_2026-01-01_1", "1_2026-01-01_1", "1_x_1", "1_2026-01-01T00:00:00+00:00_²"]
)
def test_an_unreadable_position_begins_at_the_first_hit(mailbox, letters, client, after):
    assert Position.parse(after) is None
    client.force_login(a_member(mailbox), backend="mailbox.accounts.login.EidBackend")
    first, again = (
        client.post(reverse("search"), {"question": "uppsala", **asked}) for asked in ({}, {"after": after})
    )
    assert again.status_code == 200
    assert re.findall(r'href="(/konversation[^"]*)"', again.content.decode()) == re.findall(
        r'href="(/konversation[^"]*)"', first.content.decode()
    )


def test_the_number_of_queries_does_not_grow_with_the_hits(mailbox, client):
    client.force_login(a_member(mailbox), backend="mailbox.accounts.login.EidBackend")
    counts = []
    for _ in range(2):
        for _ in range(6):
            kept(mailbox, LETTERS[0], START)
        index.index_missing()
        client.post(reverse("search"), {"question": "orosanmälan"})
        with CaptureQueriesContext(connection) as queries:
            assert client.post(reverse("search"), {"question": "orosanmälan"}).status_code == 200
        counts.append(len(queries))
    assert counts[0] == counts[1]


def test_the_index_holds_no_readable_word(mailbox, letters):
    a_note(mailbox, "Socialsekreterare Svensson")
    a_draft(mailbox, text="Socialsekreterare Svensson")
    with connection.cursor() as cursor:
        for table in (
            "mailbox_searchentry",
            "mailbox_noteentry",
            "mailbox_draftentry",
            "mailbox_vocabularyword",
        ):
            cursor.execute(f"SELECT row_to_json(one)::text FROM {table} AS one")
            rows = [row[0].lower() for row in cursor.fetchall()]
            assert rows
            for word in ("orosanm", "svensson", "social", "1212121212"):
                assert not any(word in row for row in rows)


def test_two_organisations_hash_the_same_word_differently(mailbox):
    elsewhere = a_mailbox("Deras", "0203:annan.se")
    for box in (mailbox, elsewhere):
        kept(box, LETTERS[0], START)
    one, other = SearchEntry.objects.order_by("pk").values_list("words", flat=True)
    assert not set(one) & set(other)


def test_a_delivered_message_is_found_at_once(mailbox, settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path
    mailbox.address = "funktion-b"
    mailbox.save()
    message = a_message(
        recipient=ParticipantId(HERE), files=(File("vårdplan.pdf", "application/pdf", BytesContent(b"%PDF")),)
    )
    deliver([Delivered(HERE, message, "0203:af.se", START)])
    person = a_member(mailbox)
    for question in ("kallelsen", "vårdplan", "2026/117", "Karin Svensson", message.header.message_id):
        assert len(found(person, question)) == 1, question


@pytest.mark.django_db(transaction=True)
def test_words_are_learned_when_the_message_is_committed():
    kept(a_mailbox(), LETTERS[0], START)
    assert SearchEntry.objects.get().is_learned
    assert VocabularyWord.objects.count() > 5


def test_what_was_missed_is_found_and_indexed(mailbox, letters):
    person = a_member(mailbox)
    SearchEntry.objects.all().delete()
    VocabularyWord.objects.all().delete()
    assert found(person, "orosanmälan") == []
    assert index.index_missing() >= len(letters)
    assert len(found(person, "orosanmälan")) == 1


def test_a_command_indexes_anew(mailbox, letters, capsys):
    SearchEntry.objects.update(words=[])
    call_command("reindex_messages", "--all")
    assert f"{len(letters)} messages" in capsys.readouterr().out
    assert len(found(a_member(mailbox), "orosanmälan")) == 1


@pytest.mark.parametrize(
    "forms",
    [
        "kontor kontoret kontoren kontorets",
        "anmälan anmälningar anmälningarna anmälans anmäla",
        "utredning utredningen utredningarna utreda utreder",
        "beslut beslutet besluten",
        "barn barnet barnen barnens",
        "möte mötet möten mötena",
        "familjehem familjehemmet familjehemmen",
        "överklagan överklagande överklagandet överklaga",
        "skola skolan skolor skolorna skolans",
    ],
)
def test_the_forms_of_a_word_share_a_root(forms):
    assert len(set(stems_of(forms.split()).values())) == 1, stems_of(forms.split())


def test_numbers_are_what_their_digits_are():
    content = words_and_numbers(["Född 19121212-1212, ring 070-123 45 67, dnr SN 2026/117, år 2026"])
    assert {"191212121212", "1212121212", "0701234567", "2026117", "2026"} <= content.numbers
    assert [term.text for term in terms_of("Sök 19121212-1212 nu")] == ["sök", "191212121212", "nu"]


def test_a_hostile_text_costs_what_a_long_one_does():
    content = words_and_numbers([" ".join(f"ord{number}" for number in range(100_000))])
    assert len(content.words) == 20_000


# --- The page


def test_questions_are_posted_and_stand_in_no_address(mailbox, letters, client):
    client.force_login(a_member(mailbox), backend="mailbox.accounts.login.EidBackend")
    form = client.get(reverse("search")).content.decode()
    assert 'method="post"' in form
    assert 'method="get"' not in form
    assert "hx-get" not in form.split("search-form", 1)[1].split("</form>")[0]
    page = client.post(reverse("search"), {"question": "orosanmälningar"})
    html = in_one_line(page.content.decode())
    assert "<mark>Orosanmälan</mark>" in html
    assert "orosanm" not in "".join(part.split('"')[0] for part in html.split('href="')[1:]).lower()


def test_a_question_in_the_address_is_not_answered(mailbox, letters, client):
    client.force_login(a_member(mailbox), backend="mailbox.accounts.login.EidBackend")
    html = client.get(reverse("search"), {"question": "orosanmälan"}).content.decode()
    assert "<mark>" not in html


def test_searching_is_logged_without_its_words(mailbox, letters, client, caplog):
    person = a_member(mailbox)
    client.force_login(person, backend="mailbox.accounts.login.EidBackend")
    with caplog.at_level("DEBUG"):
        client.post(reverse("search"), {"question": "orosanmälan"})
        client.post(reverse("search"), {"question": "Orosanmälan!"})
    entries = list(AccessLogEntry.objects.filter(what="searched").order_by("number"))
    assert [entry.actor for entry in entries] == [person, person]
    assert entries[0].details == entries[1].details
    assert set(entries[0].details) == {"question", "hits"}
    assert "orosanm" not in str(entries[0].details).lower()
    assert (
        "orosanm"
        not in "".join(
            record.getMessage() for record in caplog.records if record.name != "django.db.backends"
        ).lower()
    )


def test_markup_in_a_message_is_shown_as_text(mailbox, client):
    kept(mailbox, Letter("", "<b>kontor</b>", "<script>kontor</script>", ("A", "B")), START)
    client.force_login(a_member(mailbox), backend="mailbox.accounts.login.EidBackend")
    html = page_of(client, {"question": "kontor"})
    assert "&lt;b&gt;<mark>kontor</mark>&lt;/b&gt;" in html
    assert "<script>kontor" not in html


def test_a_hit_shows_words_and_no_signs_of_formatting(mailbox, client):
    kept(mailbox, Letter("", "Möte", "# Plats Vårt **kontor** i stan", ("A", "B")), START)
    client.force_login(a_member(mailbox), backend="mailbox.accounts.login.EidBackend")
    html = page_of(client, {"question": "kontor"})
    assert "Plats Vårt <mark>kontor</mark> i stan" in html
    a_draft(mailbox, subject="Svar", text="## Plats Deras **kontor** i byn")
    html = page_of(client, {"question": "kontor"})
    assert "Plats Deras <mark>kontor</mark> i byn" in html


def test_an_empty_question_is_told_at_the_field(mailbox, client):
    client.force_login(a_member(mailbox), backend="mailbox.accounts.login.EidBackend")
    page = client.post(reverse("search"), {"question": " "})
    assert page.status_code == 422
    assert b'aria-invalid="true"' in page.content
    assert "<title>Fel:" in page.content.decode()


def test_no_hit_says_what_to_try(mailbox, letters, client):
    client.force_login(a_member(mailbox), backend="mailbox.accounts.login.EidBackend")
    html = page_of(client, {"question": "kärnkraft"})
    assert "Inga träffar" in html


@pytest.mark.parametrize(
    "asked",
    [
        {"since": "20O6-01-01"},
        {"since": "0001-01-01"},
        {"until": "9999-12-31"},
        {"until": "²"},
        {"mailbox": "9" * 30},
        {"label": "x"},
        {"among": "everything"},
    ],
)
def test_a_filter_that_cannot_be_understood_is_told_and_not_ignored(mailbox, client, asked):
    client.force_login(a_member(mailbox), backend="mailbox.accounts.login.EidBackend")
    page = client.post(reverse("search"), {"question": "kontor", **asked})
    assert page.status_code == 422
    assert f'href="#{next(iter(asked))}"' in page.content.decode()


@pytest.mark.parametrize(
    "question",
    ["kontor\0", "\ud800 kontor", "kontor " * 100, "kontor\tkontor"],
    ids=["nul", "half", "long", "tab"],
)
def test_signs_that_are_no_text_do_not_spoil_a_question(mailbox, client, question):
    kept(mailbox, Letter("", "Kontor", "kontor", ("A", "B")), START)
    client.force_login(a_member(mailbox), backend="mailbox.accounts.login.EidBackend")
    posted = f"question={quote(question, errors='surrogatepass')}"
    page = client.post(reverse("search"), posted, content_type="application/x-www-form-urlencoded")
    assert page.status_code == 200
    assert "<mark>kontor</mark>" in in_one_line(page.content.decode())


@pytest.mark.parametrize("written", ["SN 2026/1031", "SN-2026/1031", "SN-2026/1031-3", "2026/1031:3"])
@pytest.mark.parametrize("question", ["2026/1031", "2026-1031"])
def test_part_of_a_case_number_finds_it(mailbox, client, written, question):
    kept(mailbox, Letter("", "Ansökan", f"Ärende {written} gäller", ("A", "B")), START)
    kept(mailbox, Letter("", "Annat", "Ärende SN-2026/1039-1 gäller", ("A", "B")), START)
    client.force_login(a_member(mailbox), backend="mailbox.accounts.login.EidBackend")
    html = page_of(client, {"question": question})
    assert "Ansökan" in html
    assert "Annat" not in html
    assert "<mark>" in html


def test_a_reference_is_found_by_a_part_of_it(mailbox):
    letter = Letter("", "Ansökan", "", ("A", "B"), references=(("dnr", "SN-2026/1031-3"),))
    message = kept(mailbox, letter, START)
    assert found(a_member(mailbox), "2026/1031") == [message.pk]


def test_numbers_of_many_parts_cost_no_more_than_those_of_a_few():
    content = words_and_numbers(["/".join(str(number) for number in range(5_000))])
    assert len(content.numbers) < 6_000


def test_hits_of_a_similar_spelling_have_a_heading_of_their_own(mailbox, letters, client):
    client.force_login(a_member(mailbox), backend="mailbox.accounts.login.EidBackend")
    assert "<h2>Liknande stavning</h2>" not in page_of(client, {"question": "skolsköterska"})
    html = page_of(client, {"question": "rehabillitering"})
    assert html.count("<h2>Liknande stavning</h2>") == 1
    assert html.index("<h2>Liknande stavning</h2>") < html.index('<li class="found">')


def test_the_words_that_match_go_with_the_link_and_not_into_its_address(mailbox, client):
    kept(mailbox, Letter("", "Möte", "Vårt kontor och era kontoret", ("A", "B")), START)
    client.force_login(a_member(mailbox), backend="mailbox.accounts.login.EidBackend")
    html = page_of(client, {"question": "kontor"})
    assert 'data-marks="kontor&#10;kontoret"' in html


def test_the_search_box_of_other_pages_posts_its_question(rf):
    request = rf.get("/")
    html = render_to_string("search/_head.html", {}, request)
    assert 'method="post"' in html
    assert 'name="question"' in html
    assert "data-search-box" in html
