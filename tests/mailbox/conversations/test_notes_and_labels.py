"""Notes and labels are the mailbox's own: seen by its members, sent to nobody, gone with the conversation."""

import io
import zipfile
from datetime import timedelta

import pytest
from django.core import mail
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from mailbox.administration import retention
from mailbox.archive import write_bundle
from mailbox.conversations import assignment, labels, notes, reassignment, state_changes, undo
from mailbox.drafts import composer
from mailbox.models import (
    Conversation,
    FunctionMailbox,
    Label,
    Labelling,
    Membership,
    Mention,
    Note,
    NoticeChoice,
    RetentionRule,
)
from mailbox.notifications import notices
from mailbox.search import Filters, find
from mailbox.workplace import inbox
from tests.mailbox.build import a_member, arrives, log_in, send_now
from tests.mailbox.conftest import HERE
from transport.message_service.models import OutgoingMessage

pytestmark = pytest.mark.django_db
WORD = "Sköldpaddsgatan"


@pytest.mark.parametrize(
    ("text", "meant", "unknown"),
    [
        ("Ring @Karin Svensson i dag", ["Karin Svensson"], []),
        ("@karin svensson, och @Ahmed!", ["Karin Svensson", "Ahmed Ek"], []),
        ("@Eva", [], ["Eva"]),
        ("@Eva Holm", ["Eva Holm"], []),
        ("@Karin Svenssonsdotter", ["Karin Svensson"], []),
        ("@Ola", [], ["Ola"]),
        ("mejla karin@habo.se eller @@Karin", [], []),
        ("ingen", [], []),
    ],
)
def test_who_is_named_after_an_at_sign_is_a_member_by_whole_or_only_first_name(mailbox, text, meant, unknown):
    members = [a_member(name) for name in ("Karin Svensson", "Ahmed Ek", "Eva Holm", "Eva Berg")]
    named, left = notes.named_in(text, members)
    assert [one.name for one in named] == meant
    assert left == unknown


def test_a_note_is_for_its_mentioned_until_they_have_looked(mailbox, client):
    karin, ahmed, eva = (a_member(name, mailbox) for name in ("Karin", "Ahmed", "Eva"))
    outsider = a_member("Ulla")
    conversation = arrives(mailbox).conversation
    log_in(client, karin)
    form = {"note": "@Ahmed, kan du ringa? @Nisse", "mentioned": [eva.pk, outsider.pk, karin.pk]}
    page = client.post(reverse("note", args=[conversation.pk]), form, follow=True).content.decode()
    assert "@Nisse" in page
    assert "ingen har fått veta" in page
    assert {row.person for row in Mention.objects.all()} == {ahmed, eva}
    log_in(client, ahmed)
    assert "Du är nämnd" in client.get(reverse("start")).content.decode()
    mine = f"{reverse('mailbox', args=[mailbox.pk])}?view=mina"
    assert "Du är nämnd" in client.get(mine).content.decode()
    page = client.get(reverse("conversation", args=[conversation.pk])).content.decode()
    assert "kan du ringa?" in page
    assert "Du är nämnd" not in client.get(reverse("start")).content.decode()
    assert [mention.person for mention in notes.mentions_of(eva)] == [eva], "her own to look at"
    Membership.objects.filter(person=eva).delete()
    assert not notes.mentions_of(eva).exists(), "who sees the mailbox no more is told nothing of it"


def test_a_page_with_scripts_tells_which_message_and_which_note_have_been_seen(mailbox, client):
    karin, ahmed = (a_member(name, mailbox) for name in ("Karin", "Ahmed"))
    message = arrives(mailbox)
    conversation = message.conversation
    first, _ = notes.write(conversation.pk, karin, "@Ahmed, ett")
    log_in(client, ahmed)
    client.cookies["sdkportal-scripts"] = "1"
    client.get(reverse("conversation", args=[conversation.pk]))
    # Written after his page was made, which tells what it shows.
    second, _ = notes.write(conversation.pk, karin, "@Ahmed, två")
    seen = reverse("seen", args=[conversation.pk])

    def unseen() -> set[int]:
        return {mention.note_id for mention in notes.mentions_of(ahmed)}

    def is_new() -> bool:
        return inbox.page_of(mailbox, ahmed).rows[0].is_unread

    client.post(seen, {"message": message.pk, "note": ""})
    assert (is_new(), unseen()) == (False, {first.pk, second.pk}), "the notes have not been in view"
    client.post(seen, {"message": message.pk, "note": first.pk})
    assert unseen() == {second.pk}
    later = arrives(mailbox, conversation=str(conversation.conversation_id))
    client.post(seen, {"message": message.pk, "note": first.pk})
    assert (is_new(), unseen()) == (True, {second.pk}), "what came since is not seen"
    client.post(seen, {"message": "", "note": second.pk})
    assert (is_new(), unseen()) == (True, set())
    client.post(seen, {"message": later.pk, "note": "9" * 30})
    assert not is_new()


def test_a_note_is_taken_away_by_who_wrote_it_and_the_history_says_so(mailbox, client):
    karin, ahmed = a_member("Karin", mailbox), a_member("Ahmed", mailbox)
    conversation = arrives(mailbox).conversation
    note, _ = notes.write(conversation.pk, karin, WORD)
    log_in(client, ahmed)
    assert client.post(reverse("note-remove", args=[note.pk])).status_code == 404
    with pytest.raises(notes.NotTheirs):
        notes.remove(note, ahmed)
    log_in(client, karin)
    page = client.post(reverse("note-remove", args=[note.pk]), follow=True).content.decode()
    assert WORD not in page
    assert "Karin tog bort sin anteckning" in page
    assert not Note.objects.exists()


def test_a_note_changes_nothing_that_could_be_undone(mailbox):
    karin = a_member("Karin", mailbox)
    conversation = arrives(mailbox).conversation
    taken = assignment.assign(conversation.pk, karin)
    notes.write(conversation.pk, karin, WORD)
    assert undo.undoable(conversation, karin) == taken


@pytest.mark.parametrize("text", ["", "x" * (notes.LONGEST + 1)])
def test_a_note_that_cannot_be_kept_is_still_in_its_field(mailbox, client, text):
    log_in(client, a_member("Karin", mailbox))
    page = client.post(reverse("note", args=[arrives(mailbox).conversation_id]), {"note": text})
    assert page.status_code == 422
    assert "<title>Fel:" in page.content.decode()
    assert page.context["text"] == text
    assert not Note.objects.exists()


def test_notes_are_sealed_sent_to_nobody_and_left_out_of_record_bundles(mailbox, function):
    karin = a_member("Karin", mailbox)
    message = arrives(mailbox)
    conversation = message.conversation
    notes.write(conversation.pk, karin, WORD)
    with connection.cursor() as cursor:
        cursor.execute("SELECT row_to_json(n)::text FROM mailbox_note n")
        assert WORD not in cursor.fetchone()[0]
    draft = composer.begin_answer(message, karin)
    content = composer.Content({"text": "Svar"})
    draft = composer.save(draft.pk, draft.version, content, karin)
    send_now(draft.pk, draft.version, content, karin)
    target = io.BytesIO()
    write_bundle(conversation, target, made_by="Karin", made_at=timezone.now())
    with zipfile.ZipFile(target) as bundle:
        told = b"".join(bundle.read(name) for name in bundle.namelist() if not name.endswith(".pdf"))
    assert b"Svar" in told
    assert WORD.encode() not in told
    assert OutgoingMessage.objects.count() == 1
    assert [hit.row for hit in find(karin, WORD).hits] == [Note.objects.get()], "members find it"


def test_retention_takes_notes_mentions_and_labels_along(mailbox):
    karin, ahmed = a_member("Karin", mailbox), a_member("Ahmed", mailbox)
    conversation = arrives(mailbox).conversation
    notes.write(conversation.pk, karin, "@Ahmed")
    label = Label.objects.create(mailbox=mailbox, name="Brådskande")
    labels.set_labels(conversation.pk, karin, [label.pk], seen=[])
    state_changes.finish(conversation.pk, karin)
    Conversation.objects.update(last_activity_at=timezone.now() - timedelta(days=31))
    RetentionRule.objects.create(mailbox=mailbox, state="done", days=30)
    assert retention.run() == 1
    assert not Note.objects.exists()
    assert not Mention.objects.exists()
    assert not Labelling.objects.exists()
    assert Label.objects.get() == label
    assert ahmed.pk


def test_the_mentioned_get_a_mail_without_content_once_if_they_chose_mail(mailbox, settings):
    settings.SDK_PUBLIC_URL = "https://sdk.habo.se"
    karin, ahmed, eva = (a_member(name, mailbox) for name in ("Karin", "Ahmed", "Eva"))
    for person in (ahmed, eva):
        person.mail_address = f"{person.name}@habo.se"
        person.save()
    conversation = arrives(mailbox).conversation
    NoticeChoice.objects.create(person=ahmed, mailbox=mailbox, by_mail=True, told_until=timezone.now())
    notes.write(conversation.pk, karin, f"@Ahmed @Eva {WORD}")
    assert notices.send_notices() == 1
    assert notices.send_notices() == 0
    (told,) = mail.outbox
    assert told.to == ["Ahmed@habo.se"]
    assert told.subject == "Någon vill dig något i Mottagning"
    assert "https://sdk.habo.se/" in told.body
    for secret in (WORD, conversation.subject, "Karin"):
        assert secret not in told.subject + told.body


def test_the_members_to_whom_a_conversation_is_offered_get_such_a_mail(mailbox, settings):
    school = FunctionMailbox.objects.create(participant_id=HERE, address="skola", name="Elevhälsan")
    karin = a_member("Karin", mailbox)
    for name, box in (("Ulla", school), ("Ola", school), ("Ahmed", mailbox)):
        person = a_member(name, box)
        person.mail_address = f"{name}@habo.se"
        person.save()
        NoticeChoice.objects.create(person=person, mailbox=box, by_mail=True, told_until=timezone.now())
    conversation = arrives(mailbox).conversation
    NoticeChoice.objects.update(told_until=timezone.now())
    reassignment.offer(conversation.pk, karin, to=school, done=WORD, remains=WORD)
    assert notices.send_notices() == 2
    assert notices.send_notices() == 0
    assert {told.to[0] for told in mail.outbox} == {"Ulla@habo.se", "Ola@habo.se"}
    assert {told.subject for told in mail.outbox} == {"Någon vill dig något i Elevhälsan"}
    assert WORD not in mail.outbox[0].body


@pytest.mark.parametrize("why", ["seen", "no member", "old"])
def test_nobody_is_told_of_a_mention_that_is_seen_or_past(mailbox, why):
    karin, ahmed = a_member("Karin", mailbox), a_member("Ahmed", mailbox)
    ahmed.mail_address = "ahmed@habo.se"
    ahmed.save()
    conversation = arrives(mailbox).conversation
    NoticeChoice.objects.create(person=ahmed, mailbox=mailbox, by_mail=True, told_until=timezone.now())
    notes.write(conversation.pk, karin, "@Ahmed")
    if why == "seen":
        notes.mark_seen(conversation, ahmed)
    elif why == "no member":
        Membership.objects.filter(person=ahmed).delete()
    else:
        Note.objects.update(at=timezone.now() - timedelta(days=2))
    assert notices.send_notices() == 0


def test_labels_are_put_and_taken_off_and_narrow_lists_and_searches(mailbox, client):
    karin = a_member("Karin", mailbox)
    log_in(client, karin)
    first, second = arrives(mailbox).conversation, arrives(mailbox).conversation
    client.post(reverse("labels", args=[mailbox.pk]), {"name": " Hör  av oss ", "colour": "red"})
    label = Label.objects.get()
    assert (label.name, label.colour) == ("Hör av oss", "red")
    page = client.post(reverse("label", args=[first.pk]), {"label": label.pk}, follow=True).content.decode()
    assert "Karin satte etiketten Hör av oss" in page
    url = reverse("mailbox", args=[mailbox.pk])
    answer = client.post(url, {"view": "inkorg", "label": label.pk})
    listed = client.get(answer.headers["Location"])
    assert [row.pk for row in listed.context["page"].rows] == [first.pk]
    assert "Hör av oss" in listed.content.decode()
    found = find(karin, "kallelse", Filters(label_id=label.pk)).hits
    assert [hit.row.conversation for hit in found] == [first]
    page = client.post(reverse("search"), {"question": "kallelse", "label": label.pk})
    assert [len(group.hits) for group in page.context["groups"]] == [1]
    client.post(reverse("label", args=[first.pk]), {"had": label.pk})
    assert not Labelling.objects.exists()
    assert [event.what for event in first.events.exclude(what="opened")] == ["labelled", "unlabelled"]
    assert second.labels.count() == 0


def test_who_saves_labels_leaves_what_others_changed_meanwhile(mailbox):
    karin, ahmed = a_member("Karin", mailbox), a_member("Ahmed", mailbox)
    conversation = arrives(mailbox).conversation
    one, two, three = (Label.objects.create(mailbox=mailbox, name=name) for name in "ABC")
    foreign = Label.objects.create(
        mailbox=FunctionMailbox.objects.create(participant_id=HERE, address="x", name="X"), name="D"
    )
    labels.set_labels(conversation.pk, karin, [one.pk], seen=[])
    labels.set_labels(conversation.pk, ahmed, [one.pk, two.pk, foreign.pk], seen=[one.pk])
    labels.set_labels(conversation.pk, karin, [three.pk], seen=[one.pk])
    assert set(conversation.labels.all()) == {two, three}
    undo.undo(undo.undoable(conversation, karin).pk, karin)
    assert set(conversation.labels.all()) == {one, two}, "both changes were one press of a button"


def test_a_name_is_one_label_s_and_only_managers_take_one_away(mailbox, client):
    karin, chief = a_member("Karin", mailbox), a_member("Ahmed", mailbox)
    Membership.objects.filter(person=chief).update(role=Membership.Role.MANAGER)
    log_in(client, karin)
    label = Label.objects.create(mailbox=mailbox, name="Brådskande")
    page = client.post(reverse("labels", args=[mailbox.pk]), {"name": "BRÅDSKANDE"})
    assert page.status_code == 422
    assert "redan en etikett" in page.content.decode()
    change = reverse("label-change", args=[label.pk])
    client.post(change, {"name": "Snart", "colour": "blue"})
    assert "Fel:" in client.post(change, {"name": ""}, follow=True).content.decode()
    label.refresh_from_db()
    assert (label.name, label.colour) == ("Snart", "blue")
    assert client.post(reverse("label-remove", args=[label.pk])).status_code == 404
    log_in(client, chief)
    client.post(reverse("label-remove", args=[label.pk]))
    assert not Label.objects.exists()


def test_a_new_label_is_created_and_put_on_the_conversation_in_one_press(mailbox, client):
    karin = a_member("Karin", mailbox)
    conversation = arrives(mailbox).conversation
    log_in(client, karin)
    url = reverse("label", args=[conversation.pk])
    shown = client.get(reverse("conversation", args=[conversation.pk])).content.decode()
    assert 'name="new_label"' in shown, "also where the mailbox has no label yet"
    page = client.post(url, {"new_label": " Väntar  på läkare "}, follow=True)
    label = Label.objects.get()
    assert (label.name, label.colour, label.mailbox) == ("Väntar på läkare", "grey", mailbox)
    assert page.redirect_chain[-1][0] == reverse("conversation", args=[conversation.pk])
    assert "Karin satte etiketten Väntar på läkare" in page.content.decode()
    other = arrives(mailbox).conversation
    second = Label.objects.create(mailbox=mailbox, name="Brådskande")
    client.post(
        reverse("label", args=[other.pk]), {"new_label": "VÄNTAR PÅ LÄKARE", "label": second.pk, "had": []}
    )
    assert set(other.labels.all()) == {label, second}
    assert Label.objects.count() == 2
    client.post(reverse("label", args=[other.pk]), {"new_label": "väntar på läkare", "had": second.pk})
    assert set(other.labels.all()) == {label}, "what was unchecked goes, what is named stays"


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("a" * 41, "högst 40 tecken"),
        ("rad\x1bbrott", "tecken som inte kan visas"),
        ("nul\0", "tecken"),
        ("En till", "har redan 3 etiketter"),
    ],
)
def test_a_new_label_that_cannot_be_is_told_with_what_was_typed_and_chosen_kept(
    mailbox, client, monkeypatch, name, error
):
    monkeypatch.setattr(labels, "MOST", 3)
    karin = a_member("Karin", mailbox)
    conversation = arrives(mailbox).conversation
    one, two, _three = (labels.create(mailbox, name, "grey") for name in "ABC")
    labels.set_labels(conversation.pk, karin, [one.pk], seen=[])
    log_in(client, karin)
    form = {"new_label": name, "label": two.pk, "had": one.pk, "list": "view=mina"}
    page = client.post(reverse("label", args=[conversation.pk]), form)
    assert page.status_code == 422
    shown = page.content.decode()
    assert error in page.context["errors"]["new_label"]
    assert page.context["new_label"] == name
    choices = {
        choice.label.name: (choice.is_on, choice.is_chosen) for choice in page.context["label_choices"]
    }
    assert choices == {"A": (True, False), "B": (False, True), "C": (False, False)}
    assert 'name="list" value="view=mina"' in shown
    assert 'aria-describedby="new_label-error"' in shown
    assert list(conversation.labels.all()) == [one]
    assert Label.objects.count() == 3


def test_notes_and_labels_cost_no_query_each(mailbox, client):
    karin, ahmed = a_member("Karin", mailbox), a_member("Ahmed", mailbox)
    log_in(client, karin)
    conversation = arrives(mailbox).conversation
    urls = [
        reverse("conversation", args=[conversation.pk]),
        reverse("mailbox", args=[mailbox.pk]),
        reverse("labels", args=[mailbox.pk]),
    ]
    counts = []
    for number in range(3):
        notes.write(conversation.pk, ahmed, f"@Karin {number}")
        label = labels.create(mailbox, f"Etikett {number}", "grey")
        other = arrives(mailbox).conversation
        for row in (conversation, other):
            labels.set_labels(row.pk, karin, [label.pk], seen=[])
        for url in urls:
            client.get(url)
        with CaptureQueriesContext(connection) as queries:
            for url in urls:
                client.get(url)
        counts.append(len(queries))
    assert counts[0] == counts[1] == counts[2]
