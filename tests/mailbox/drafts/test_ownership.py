"""A draft has an owner: colleagues read it, take it over in so many words, and bring back what it said."""

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from mailbox.drafts import composer, draft_files, forwarding, ownership, send_order
from mailbox.drafts.composer import Content
from mailbox.models import AccessLogEntry, Draft, FunctionMailbox
from tests.mailbox.build import a_member, arrives, log_in, reviewed, send_now

pytestmark = pytest.mark.django_db
LONG = "Vi har fått ert ärende och återkommer i frågan när handläggaren har läst allt."


@pytest.fixture
def karin(mailbox):
    return a_member("Karin", mailbox)


@pytest.fixture
def ahmed(mailbox):
    return a_member("Ahmed", mailbox)


@pytest.fixture
def half_written(mailbox, karin):
    """Karin's answer, begun."""
    draft = composer.begin_answer(arrives(mailbox), karin)
    return composer.save(draft.pk, draft.version, Content({"text": LONG}), karin)


def press(client, name: str, draft: Draft, **form):
    return client.post(reverse(name, args=[draft.pk]), form)


def test_answering_shows_a_colleague_s_draft_with_their_name_and_no_field_to_write_in(
    half_written, ahmed, client
):
    log_in(client, ahmed)
    response = client.post(reverse("answer", args=[half_written.answers_id]), follow=True)
    page = response.content.decode()
    assert "Utkast av Karin" in page
    assert LONG in page
    assert "Ta över utkastet" in page
    assert 'name="text"' not in page
    assert AccessLogEntry.objects.filter(what="draft-opened", actor=ahmed).exists()


def test_nothing_that_a_colleague_does_changes_a_draft_before_it_is_taken_over(half_written, ahmed, client):
    attachment = draft_files.attach(half_written, SimpleUploadedFile("a.pdf", b"%PDF-1.7"))
    half_written.refresh_from_db()
    for change in (
        lambda: composer.save(half_written.pk, half_written.version, Content({"text": "x"}), ahmed),
        lambda: draft_files.attach(half_written, SimpleUploadedFile("b.pdf", b"%PDF-1.7"), ahmed),
        lambda: draft_files.detach(attachment, ahmed),
        lambda: send_order.order(half_written.pk, reviewed(half_written, is_confirmed=True), ahmed),
        lambda: ownership.restore(half_written.pk, half_written.version, 1, ahmed),
    ):
        with pytest.raises(composer.DraftTakenOver):
            change()
    log_in(client, ahmed)
    saving = press(client, "draft", half_written, action="autosave", version=half_written.version, text="x")
    assert saving.status_code == 409
    assert "Inte sparat: Karin" in saving.content.decode()
    assert press(client, "check", half_written, version=half_written.version).status_code == 409
    row = Draft.objects.get()
    assert (row.text, row.version, row.owner.name) == (LONG, half_written.version, "Karin")


def test_taking_over_keeps_what_stood_there_and_the_former_owner_saves_nothing(
    half_written, karin, ahmed, client
):
    log_in(client, ahmed)
    press(client, "take-over-draft", half_written, version=half_written.version)
    row = Draft.objects.get()
    assert row.owner == ahmed
    composer.save(row.pk, row.version, Content({"text": "Ahmeds"}), ahmed)
    log_in(client, karin)
    told = press(
        client, "draft", half_written, action="save", version=half_written.version, text="Karins nya"
    )
    assert told.status_code == 409
    page = told.content.decode()
    assert "Ahmed har tagit över utkastet" in page
    assert "Karins nya" in page
    row.refresh_from_db()
    assert row.text == "Ahmeds"
    state = client.get(reverse("draft-state", args=[row.pk])).content.decode()
    assert "Ahmed tog över utkastet" in state
    assert 'data-stopped="Inte sparat' in state


def test_what_was_not_seen_is_not_taken_over(half_written, karin, ahmed, client):
    log_in(client, ahmed)
    composer.save(half_written.pk, half_written.version, Content({"text": f"{LONG} Mer."}), karin)
    told = press(client, "take-over-draft", half_written, version=half_written.version)
    assert told.status_code == 409
    assert "Utkastet har ändrats sedan du läste det" in told.content.decode()
    assert "Mer." in told.content.decode()
    assert Draft.objects.get().owner == karin


def test_an_earlier_version_is_restored_and_what_it_replaced_is_kept_too(half_written, ahmed, client):
    log_in(client, ahmed)
    row = ownership.take_over(half_written.pk, half_written.version, ahmed)
    row = composer.save(row.pk, row.version, Content({"text": "Annat"}), ahmed)
    page = client.get(reverse("draft", args=[row.pk])).content.decode()
    assert "Så som Karin lämnade det" in page
    earlier = row.versions.get()
    client.post(reverse("restore-draft", args=[row.pk, earlier.pk]), {"version": row.version})
    row.refresh_from_db()
    assert row.text == LONG
    assert [version.content["text"] for version in row.versions.all()] == ["Annat", LONG]
    other = Draft.objects.create(mailbox=row.mailbox)
    client.post(reverse("restore-draft", args=[other.pk, earlier.pk]), {"version": other.version})
    other.refresh_from_db()
    assert other.text == "", "another draft's version"


def test_a_text_that_is_emptied_or_shortened_by_much_can_be_restored(half_written, karin):
    row = composer.save(half_written.pk, half_written.version, Content({"text": f"{LONG} Hej"}), karin)
    assert not row.versions.exists()
    row = composer.save(row.pk, row.version, Content({"text": ""}), karin)
    row = composer.save(row.pk, row.version, Content({"text": "Ny"}), karin)
    assert [version.content["text"] for version in row.versions.all()] == [f"{LONG} Hej"]
    for number in range(ownership.MOST_VERSIONS + 3):
        row = composer.save(row.pk, row.version, Content({"text": f"{LONG} {number}"}), karin)
        row = composer.save(row.pk, row.version, Content({"text": ""}), karin)
    assert row.versions.count() == ownership.MOST_VERSIONS


def test_one_of_one_s_own_begins_beside_a_colleague_s_with_what_was_typed(half_written, ahmed, client):
    log_in(client, ahmed)
    press(client, "write-own", half_written, subject="Sv: Kallelse", text="Mitt eget")
    own = Draft.objects.get(owner=ahmed)
    assert (own.answers_id, own.text) == (half_written.answers_id, "Mitt eget")
    assert composer.begin_answer(half_written.answers, ahmed) == own
    half_written.refresh_from_db()
    assert half_written.text == LONG


def test_drafts_are_shown_in_their_conversation_to_every_member(half_written, ahmed, client):
    log_in(client, ahmed)
    page = client.get(reverse("conversation", args=[half_written.answers.conversation_id])).content.decode()
    assert "Utkast av Karin" in page
    assert reverse("draft", args=[half_written.pk]) in page


def test_no_words_of_a_confidential_draft_are_shown_in_its_conversation(half_written, karin, ahmed, client):
    composer.save(half_written.pk, half_written.version, Content({"is_confidential": True}), karin)
    log_in(client, ahmed)
    page = client.get(reverse("conversation", args=[half_written.answers.conversation_id])).content.decode()
    assert "Utkast av Karin" in page
    assert "Vi har fått ert ärende" not in page


def test_looking_at_an_answer_a_supplement_or_a_forward_leaves_nothing_for_others(
    mailbox, karin, ahmed, client
):
    message = arrives(mailbox)
    log_in(client, karin)
    for begun in (composer.begin_answer(message, karin), forwarding.begin(message, karin)):
        assert client.get(reverse("draft", args=[begun.pk])).status_code == 200
    assert forwarding.begin(message, karin).pk == Draft.objects.get(forwards=message).pk
    listed = client.get(reverse("mailbox", args=[mailbox.pk]), {"vy": "utkast"})
    assert list(listed.context["page"].rows) == []
    log_in(client, ahmed)
    assert client.get(reverse("draft", args=[begun.pk])).status_code == 404
    assert (
        "Utkast av"
        not in client.get(reverse("conversation", args=[message.conversation_id])).content.decode()
    )
    log_in(client, karin)
    for row in Draft.objects.all():
        press(client, "leave-draft", row)
    assert not Draft.objects.exists()


def test_what_was_only_looked_at_is_removed_by_itself_and_what_is_written_stays(mailbox, karin, half_written):
    forwarding.begin(half_written.answers, karin)
    composer.remove_untouched()
    assert Draft.objects.count() == 2
    Draft.objects.update(changed_at="2020-01-01T00:00Z")
    composer.remove_untouched()
    assert Draft.objects.get() == half_written
    composer.leave_untouched(half_written.pk, karin)
    assert Draft.objects.exists()


def test_a_file_or_an_explicit_save_makes_it_a_draft_that_all_see(mailbox, karin, ahmed, client):
    message = arrives(mailbox)
    draft = forwarding.begin(message, karin)
    log_in(client, karin)
    press(
        client, "draft", draft, action="save", version=draft.version, subject=draft.subject, text=draft.text
    )
    assert not Draft.objects.get(pk=draft.pk).is_untouched
    answer = composer.begin_answer(message, karin)
    draft_files.attach(answer, SimpleUploadedFile("a.pdf", b"%PDF-1.7"), karin)
    log_in(client, ahmed)
    assert client.get(reverse("draft", args=[answer.pk])).status_code == 200


def test_a_supplement_is_called_that_and_keeps_its_subject(half_written, karin, client):
    sent = send_now(half_written.pk, half_written.version, Content(), karin).messages.latest("pk")
    log_in(client, karin)
    page = client.post(reverse("answer", args=[sent.pk]), follow=True).content.decode()
    assert "<h1>Komplettera</h1>" in page
    assert f'value="{sent.subject}"' in page
    assert f"Sv: {sent.subject}" not in page


def test_a_forward_says_what_it_forwards(mailbox, karin, client):
    message = arrives(mailbox)
    log_in(client, karin)
    page = client.post(reverse("forward", args=[message.pk]), follow=True).content.decode()
    assert "<h1>Vidarebefordra</h1>" in page
    assert "Du vidarebefordrar meddelandet från" in page
    assert message.counterpart_function in page
    assert f"#message-{message.pk}" in page


def test_the_state_of_a_draft_is_told_only_to_members_of_its_mailbox(half_written, client):
    other = FunctionMailbox.objects.create(participant_id="0203:habo.se", address="annan", name="Annan")
    log_in(client, a_member("Eva", other))
    assert client.get(reverse("draft-state", args=[half_written.pk])).status_code == 404
    for name in ("take-over-draft", "write-own", "leave-draft"):
        assert press(client, name, half_written, version=1).status_code == 404


def test_a_draft_that_is_gone_says_so_and_asks_for_the_text_to_be_kept(half_written, karin, client):
    log_in(client, karin)
    composer.discard(half_written, half_written.version)
    state = client.get(reverse("draft-state", args=[half_written.pk]))
    assert state.status_code == 200
    assert "data-stopped" in state.content.decode()


def test_a_draft_without_an_owner_is_its_that_writes_in_it(mailbox, karin, ahmed, client):
    draft = Draft.objects.create(mailbox=mailbox, text="Av en äldre version")
    saved = composer.save(draft.pk, draft.version, Content({"text": "Ahmeds"}), ahmed)
    assert saved.owner == ahmed
    with pytest.raises(composer.DraftTakenOver):
        composer.save(saved.pk, saved.version, Content({"text": "Karins"}), karin)
