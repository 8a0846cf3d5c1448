"""Looked through, held back, sent once, undone, and stopped when somebody answered meanwhile."""

import errno
from datetime import timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from addressbook.models import FunctionAddress
from mailbox import tasks
from mailbox.drafts import composer, draft_files, recipients, send_order
from mailbox.drafts.forms import DraftForm
from mailbox.drafts.send_order import Reviewed
from mailbox.models import Draft, FunctionMailbox, Message, Person, WritingChoices
from tests.mailbox.build import a_member, arrives, log_in, send_now
from transport.message_service import orders
from transport.message_service.models import OutgoingMessage

pytestmark = pytest.mark.django_db


def ready(mailbox: FunctionMailbox, function: FunctionAddress, person: Person, **form: str) -> Draft:
    draft = composer.begin(mailbox, person)
    draft = recipients.choose_recipient(draft.pk, draft.version, function, person)
    values = {"subject": "Kallelse till möte", "text": "Välkommen.", **form}
    return composer.save(draft.pk, draft.version, DraftForm.content_of(values), person)


def an_answer(message: Message, person: Person, text: str = "Svar") -> Draft:
    draft = composer.begin_answer(message, person)
    return composer.save(
        draft.pk, draft.version, composer.Content({"subject": "Sv: Kallelse", "text": text}), person
    )


def looked_through(draft: Draft, **said) -> Reviewed:
    keys = frozenset(draft.attachments.values_list("pk", flat=True))
    return Reviewed(draft.version, keys, **said)


def seconds_pass(draft: Draft) -> None:
    """Let it be time to send."""
    Draft.objects.filter(pk=draft.pk).update(send_at=timezone.now() - timedelta(seconds=1))


def page_of(client, draft: Draft, **extra):
    return client.get(reverse("draft", args=[draft.pk]), **extra)


def form_of(draft: Draft, **said) -> dict[str, object]:
    keys = ",".join(str(key) for key in draft.attachments.values_list("pk", flat=True))
    return {"version": draft.version, "attachments": keys, **said}


def test_what_is_ordered_waits_and_is_sent_once_when_its_seconds_are_over(mailbox, function):
    person = a_member("Karin", mailbox)
    draft = ready(mailbox, function, person)
    send_order.order(draft.pk, looked_through(draft), person)
    send_order.send_if_due(draft.pk)
    assert not Message.objects.exists()
    seconds_pass(draft)
    for _ in range(2):
        send_order.send_if_due(draft.pk)
    sent = Message.objects.get()
    assert (sent.subject, sent.written_by, sent.draft_number) == ("Kallelse till möte", person, draft.pk)
    assert OutgoingMessage.objects.count() == 1
    assert not Draft.objects.exists()


def test_a_worker_is_woken_for_the_moment_and_a_sweeper_finds_what_none_took(
    mailbox, function, monkeypatch, django_capture_on_commit_callbacks
):
    woken = []

    def publish(name: str, args: list[str], countdown: float | None) -> None:
        woken.append((name, args, countdown))
        if countdown is None:
            tasks.send_draft(*args)

    monkeypatch.setattr("transport.jobs.current_app.send_task", publish)
    person = a_member("Karin", mailbox)
    draft = ready(mailbox, function, person)
    with django_capture_on_commit_callbacks(execute=True):
        send_order.order(draft.pk, looked_through(draft), person)
    assert woken == [("mailbox.tasks.send_draft", [str(draft.pk)], 10)]
    tasks.send_due_drafts()
    assert Draft.objects.exists()
    seconds_pass(draft)
    tasks.send_due_drafts()
    assert Message.objects.count() == 1


def test_a_worker_that_dies_halfway_has_sent_nothing_and_the_next_sends_it(mailbox, function, monkeypatch):
    person = a_member("Karin", mailbox)
    draft = ready(mailbox, function, person)
    send_order.order(draft.pk, looked_through(draft), person)
    seconds_pass(draft)

    class Killed(BaseException):
        pass

    def die(*args, **kwargs):
        raise Killed

    with monkeypatch.context() as dying:
        dying.setattr("mailbox.drafts.sent_copy.personal.record_use", die)
        with pytest.raises(Killed):
            send_order.send_if_due(draft.pk)
    assert not OutgoingMessage.objects.exists()
    assert not Message.objects.exists()
    send_order.send_if_due(draft.pk)
    assert OutgoingMessage.objects.count() == Message.objects.count() == 1


def test_undo_brings_the_draft_back_with_all_that_it_said(mailbox, function, client):
    person = a_member("Karin", mailbox)
    draft = ready(mailbox, function, person)
    draft_files.attach(draft, SimpleUploadedFile("a.pdf", b"%PDF-1.7"))
    log_in(client, person)
    client.post(reverse("check", args=[draft.pk]), form_of(draft))
    assert page_of(client, draft).templates[0].name == "drafts/draft_on_its_way.html"
    response = client.post(reverse("undo-sending", args=[draft.pk]))
    assert response.headers["Location"] == reverse("draft", args=[draft.pk])
    seconds_pass(Draft(pk=0))
    send_order.send_if_due(draft.pk)
    page = page_of(client, draft).content.decode()
    assert "Sändningen är ångrad" in page
    assert "Välkommen." in page
    assert "a.pdf" in page
    assert not Message.objects.exists()


def test_too_late_to_undo_says_so_and_shows_what_was_sent(mailbox, function, client):
    person = a_member("Karin", mailbox)
    draft = ready(mailbox, function, person)
    send_order.order(draft.pk, looked_through(draft), person)
    seconds_pass(draft)
    send_order.send_if_due(draft.pk)
    with pytest.raises(send_order.TooLateToUndo):
        send_order.undo(draft.pk)
    log_in(client, person)
    conversation = reverse("conversation", args=[Message.objects.get().conversation_id])
    assert page_of(client, draft).headers["Location"] == conversation
    by_script = page_of(client, draft, headers={"HX-Request": "true"})
    assert by_script.headers["HX-Redirect"] == conversation


def test_nothing_of_a_draft_on_its_way_can_be_changed(mailbox, function, client):
    person = a_member("Karin", mailbox)
    draft = ready(mailbox, function, person)
    attachment = draft_files.attach(draft, SimpleUploadedFile("a.pdf", b"%PDF-1.7"))
    ordered = send_order.order(draft.pk, looked_through(draft), person)
    content = composer.Content({"text": "Något annat"})
    for change in (
        lambda: composer.save(draft.pk, ordered.version, content, person),
        lambda: draft_files.attach(draft, SimpleUploadedFile("b.pdf", b"%PDF-1.7")),
        lambda: draft_files.detach(attachment),
        lambda: composer.discard(draft, ordered.version),
        lambda: recipients.remove_recipient(draft.pk, ordered.version, person),
        lambda: send_order.order(draft.pk, looked_through(ordered), person),
    ):
        with pytest.raises(composer.DraftOnItsWay):
            change()
    log_in(client, person)
    saving = {"action": "autosave", "version": ordered.version, "text": "Något annat"}
    assert client.post(reverse("draft", args=[draft.pk]), saving).status_code == 409
    assert Draft.objects.get().text == "Välkommen."


@pytest.mark.parametrize(("chosen", "seconds"), [(None, 10), (0, 0), (30, 30), (9999, 600)])
def test_for_how_long_it_can_be_undone_is_the_node_s_or_the_mailbox_s_own(mailbox, settings, chosen, seconds):
    settings.SDK_UNDO_SEND_SECONDS = 10
    if chosen is not None:
        WritingChoices.objects.create(mailbox=mailbox, undo_seconds=chosen)
    assert send_order.undo_seconds(mailbox) == seconds


def test_without_seconds_it_is_sent_at_once(mailbox, function, client, settings):
    settings.SDK_UNDO_SEND_SECONDS = 0
    person = a_member("Karin", mailbox)
    draft = ready(mailbox, function, person)
    log_in(client, person)
    response = client.post(reverse("check", args=[draft.pk]), form_of(draft), follow=True)
    assert response.redirect_chain[-1][0] == reverse(
        "conversation", args=[Message.objects.get().conversation_id]
    )
    assert "Meddelandet skickas." in response.content.decode()


@pytest.mark.parametrize(("seconds", "send_error"), [(0, "recipient"), (10, "recipient")])
def test_a_recipient_that_goes_meanwhile_brings_the_draft_back_and_says_why(
    mailbox, function, client, settings, seconds, send_error
):
    settings.SDK_UNDO_SEND_SECONDS = seconds
    person = a_member("Karin", mailbox)
    draft = ready(mailbox, function, person)
    send_order.order(draft.pk, looked_through(draft), person)
    FunctionAddress.objects.update(gone_at=timezone.now())
    seconds_pass(draft)
    send_order.send_if_due(draft.pk)
    draft.refresh_from_db()
    assert (draft.trouble, draft.send_at) == (send_error, None)
    log_in(client, person)
    page = page_of(client, draft).content.decode()
    assert "Meddelandet skickades inte" in page
    assert "Mottagaren finns inte längre i adressboken." in page
    assert "Välkommen." in page
    in_mailbox = client.get(reverse("mailbox", args=[mailbox.pk])).content.decode()
    assert "Ett meddelande skickades inte:" in in_mailbox
    assert reverse("draft", args=[draft.pk]) in in_mailbox


@pytest.mark.parametrize(
    ("error", "send_error"),
    [(orders.MessageInvalid([]), "invalid"), (RuntimeError("nobody thought of it"), "failed")],
)
def test_what_cannot_be_sent_comes_back_and_is_not_tried_for_ever(
    mailbox, function, monkeypatch, error, send_error
):
    person = a_member("Karin", mailbox)
    draft = ready(mailbox, function, person)
    send_order.order(draft.pk, looked_through(draft), person)
    seconds_pass(draft)

    def refuse(*args, **kwargs):
        raise error

    monkeypatch.setattr(orders, "order", refuse)
    send_order.send_if_due(draft.pk)
    draft.refresh_from_db()
    assert (draft.trouble, draft.send_at) == (send_error, None)
    assert not Message.objects.exists()
    assert send_order.sweep() == 0


def test_what_a_full_disk_stops_is_sent_when_there_is_room_and_its_sender_is_told(
    mailbox, function, client, monkeypatch
):
    person = a_member("Karin", mailbox)
    draft = ready(mailbox, function, person)
    send_order.order(draft.pk, looked_through(draft), person)
    seconds_pass(draft)

    def refuse(*args, **kwargs):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as disk:
        disk.setattr(orders, "order", refuse)
        send_order.send_if_due(draft.pk)
    draft.refresh_from_db()
    assert draft.trouble == send_order.WAITING
    assert draft.send_at > timezone.now()
    assert send_order.sweep() == 0, "there is a pause before the next attempt"
    log_in(client, person)
    assert "skickas av sig själv" in client.get(reverse("draft", args=[draft.pk])).content.decode()
    seconds_pass(draft)
    send_order.send_if_due(draft.pk)
    assert Message.objects.count() == 1
    assert not Draft.objects.filter(pk=draft.pk).exists()


def test_what_waits_for_room_can_be_taken_back_and_is_given_up_after_a_day(mailbox, function, monkeypatch):
    person = a_member("Karin", mailbox)
    draft = ready(mailbox, function, person)

    def refuse(*args, **kwargs):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(orders, "order", refuse)
    send_order.order(draft.pk, looked_through(draft), person)
    seconds_pass(draft)
    send_order.send_if_due(draft.pk)
    taken_back = send_order.undo(draft.pk)
    assert (taken_back.send_at, taken_back.trouble) == (None, "")
    send_order.order(draft.pk, looked_through(taken_back), person)
    # Ordered long ago, as one that is sent later is: its time begins with the first attempt.
    Draft.objects.update(changed_at=timezone.now() - timedelta(hours=25))
    seconds_pass(draft)
    send_order.send_if_due(draft.pk)
    draft.refresh_from_db()
    assert draft.trouble == send_order.WAITING
    Draft.objects.update(changed_at=timezone.now() - timedelta(hours=25))
    seconds_pass(draft)
    send_order.send_if_due(draft.pk)
    draft.refresh_from_db()
    assert (draft.trouble, draft.send_at) == ("failed", None)


def test_the_check_shows_the_whole_message(mailbox, function, client):
    person = a_member("Karin", mailbox)
    form = {"reference_kind": "dnr", "reference": "SN 2026/0117", "person_name": "Nils Åberg"}
    more = {"reference_kind-2": "dnr", "reference-2": "SN 2026/0118", "person_name-2": "Eva Holm"}
    draft = ready(mailbox, function, person, is_confidential="on", **form, **more)
    draft_files.attach(draft, SimpleUploadedFile("vårdplan.pdf", b"%PDF-1.7"))
    log_in(client, person)
    saved = client.post(
        reverse("draft", args=[draft.pk]), {"action": "check", "version": draft.version, "text": ""}
    )
    assert saved.status_code == 422
    draft.refresh_from_db()
    content = composer.Content({"subject": "Kallelse till möte", "text": "**Välkommen**"})
    draft = composer.save(draft.pk, draft.version, content, person)
    draft = composer.save(
        draft.pk,
        draft.version,
        DraftForm.content_of(
            {
                "subject": "Kallelse till möte",
                "text": "**Välkommen**",
                "is_confidential": "on",
                **form,
                **more,
            }
        ),
        person,
    )
    page = client.get(reverse("check", args=[draft.pk])).content.decode()
    told = ("Håbo kommun", "Mottagning", "AF", "0203:af.se", "Arbetsträning", "Diarienummer: SN 2026/0117")
    for text in (
        *told,
        "SN 2026/0118",
        "Nils Åberg",
        "Eva Holm",
        "vårdplan.pdf",
        "application/pdf",
        "Sekretess",
    ):
        assert text in page, text
    assert "<strong>Välkommen</strong>" in page


def test_what_was_not_looked_through_is_not_sent(mailbox, function, client):
    """Neither a text nor a file that has been changed since the check."""
    person = a_member("Karin", mailbox)
    draft = ready(mailbox, function, person)
    log_in(client, person)
    seen = form_of(draft)
    draft_files.attach(draft, SimpleUploadedFile("fel-fil.pdf", b"%PDF-1.7"))
    response = client.post(reverse("check", args=[draft.pk]), seen)
    assert response.status_code == 409
    assert "Utkastet har ändrats sedan du granskade det" in response.content.decode()
    assert "fel-fil.pdf" in response.content.decode()
    seen = form_of(draft)
    composer.save(draft.pk, draft.version, composer.Content({"text": "Annat"}), person)
    assert client.post(reverse("check", args=[draft.pk]), seen).status_code == 409
    assert Draft.objects.get().send_at is None


def test_a_confidential_message_to_a_new_function_asks_once_more(mailbox, function, client):
    person = a_member("Karin", mailbox)
    draft = ready(mailbox, function, person, is_confidential="on")
    log_in(client, person)
    response = client.post(reverse("check", args=[draft.pk]), form_of(draft))
    assert response.status_code == 422
    page = response.content.decode()
    assert "<title>Fel:" in page
    assert 'href="#confirmed"' in page
    assert Draft.objects.get().send_at is None
    client.post(reverse("check", args=[draft.pk]), form_of(draft, confirmed="on"))
    seconds_pass(draft)
    send_order.send_if_due(draft.pk)
    again = ready(mailbox, function, person, is_confidential="on")
    assert client.post(reverse("check", args=[again.pk]), form_of(again)).status_code == 302


def test_what_is_not_confidential_or_in_another_mailbox_s_past_is_judged_so(mailbox, function):
    """Only one's own mailbox counts, and only what it wrote."""
    person = a_member("Karin", mailbox)
    beside = FunctionMailbox.objects.create(
        participant_id=mailbox.participant_id, address="b", name="Ekonomi"
    )
    nils = a_member("Nils", beside)
    draft = ready(beside, function, nils)
    send_now(draft.pk, draft.version, composer.Content({}), nils)
    plain = ready(mailbox, function, person)
    assert send_order.recipients_to_confirm(plain) == []
    secret = composer.save(plain.pk, plain.version, composer.Content({"is_confidential": True}), person)
    assert [one.address for one in send_order.recipients_to_confirm(secret)] == ["sdk:af"]
    answer = composer.begin_answer(arrives(mailbox), person)
    assert [one.address for one in send_order.recipients_to_confirm(answer)] == ["funktion-a"]


def test_a_message_that_came_while_one_wrote_stops_the_answer_and_shows_it(mailbox, client):
    person = a_member("Karin", mailbox)
    first = arrives(mailbox)
    draft = an_answer(first, person, "Mitt svar")
    newer = arrives(mailbox, conversation=str(first.conversation.conversation_id), text="Glöm det vi skrev")
    log_in(client, person)
    response = client.post(reverse("check", args=[draft.pk]), form_of(draft))
    assert response.status_code == 409
    page = response.content.decode()
    assert "Glöm det vi skrev" in page
    assert "Skicka ändå" in page
    assert Draft.objects.get().text == "Mitt svar"
    # One more comes before the choice: that has not been seen.
    newest = arrives(mailbox, conversation=str(first.conversation.conversation_id))
    assert client.post(reverse("check", args=[draft.pk]), form_of(draft, seen=newer.pk)).status_code == 409
    assert (
        client.post(
            reverse("check", args=[draft.pk]), form_of(draft, seen=newest.pk, confirmed="on")
        ).status_code
        == 302
    )


def test_a_colleague_s_answer_stops_one_s_own_and_can_be_read_and_gone_on_from(mailbox, client):
    karin, ahmed = a_member("Karin", mailbox), a_member("Ahmed", mailbox)
    first = arrives(mailbox)
    second = arrives(mailbox, conversation=str(first.conversation.conversation_id))
    mine, theirs = an_answer(first, karin, "Karins svar"), an_answer(second, ahmed, "Ahmed har svarat")
    send_now(theirs.pk, theirs.version, composer.Content({}), ahmed)
    log_in(client, karin)
    page = page_of(client, mine).content.decode()
    assert "Ahmed har svarat" in page
    assert "Karins svar" in page
    newest = Message.objects.order_by("-pk").first()
    form = {
        "action": f"seen:{newest.pk}",
        "version": mine.version,
        "subject": "Sv: Kallelse",
        "text": "Karins svar",
    }
    client.post(reverse("draft", args=[mine.pk]), form)
    assert "Ahmed har svarat" not in page_of(client, mine).content.decode()
    mine.refresh_from_db()
    assert send_order.order(mine.pk, looked_through(mine, is_confirmed=True), karin).send_at is not None


def test_what_comes_within_the_seconds_stops_it_too(mailbox):
    person = a_member("Karin", mailbox)
    first = arrives(mailbox)
    draft = an_answer(first, person)
    send_order.order(draft.pk, looked_through(draft, is_confirmed=True), person)
    arrives(mailbox, conversation=str(first.conversation.conversation_id))
    seconds_pass(draft)
    send_order.send_if_due(draft.pk)
    draft.refresh_from_db()
    assert (draft.trouble, draft.send_at) == ("stale", None)
    assert not OutgoingMessage.objects.exists()


def test_whether_somebody_answered_is_asked_under_the_conversation_s_lock(mailbox):
    person = a_member("Karin", mailbox)
    draft = an_answer(arrives(mailbox), person)
    send_order.order(draft.pk, looked_through(draft, is_confirmed=True), person)
    seconds_pass(draft)
    with CaptureQueriesContext(connection) as queries:
        send_order.send_if_due(draft.pk)
    said = [query["sql"] for query in queries]
    lock = next(n for n, sql in enumerate(said) if '"mailbox_conversation"' in sql and "FOR UPDATE" in sql)
    asked = next(n for n, sql in enumerate(said) if '"mailbox_message"."id" > ' in sql)
    stored = next(n for n, sql in enumerate(said) if sql.startswith('INSERT INTO "mailbox_message"'))
    assert lock < asked < stored


def test_who_opens_an_answer_from_an_old_page_is_shown_what_has_come(mailbox, client):
    person = a_member("Karin", mailbox)
    first = arrives(mailbox)
    arrives(mailbox, conversation=str(first.conversation.conversation_id), text="Det nya")
    log_in(client, person)
    response = client.post(reverse("answer", args=[first.pk]), {"seen": first.pk}, follow=True)
    assert "Det nya" in response.content.decode()
    other = arrives(mailbox)
    page = client.get(reverse("conversation", args=[other.conversation_id])).content.decode()
    assert f'name="seen" value="{other.pk}"' in page


def test_a_message_from_a_function_address_of_any_length_is_answered(client, mailbox):
    address = "sdk:" + "f" * 3000
    message = arrives(mailbox, sender_function=address)
    person = a_member("Karin", mailbox)
    log_in(client, person)
    assert client.post(reverse("answer", args=[message.pk]), follow=True).status_code == 200
    draft = Draft.objects.get()
    assert page_of(client, draft).status_code == 200
    assert client.get(reverse("mailbox", args=[mailbox.pk])).status_code == 200
    send_now(draft.pk, draft.version, composer.Content({"subject": "Sv: Kallelse", "text": "Svar"}), person)
    assert Message.objects.get(direction=Message.Direction.OUT).counterpart_address == address
