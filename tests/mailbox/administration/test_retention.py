"""What is deleted, when, and what stays; and that nobody deletes by mistake."""

from datetime import timedelta
from pathlib import Path

import pytest
from django.urls import reverse
from django.utils import timezone

from mailbox.administration import retention
from mailbox.conversations import assignment, undo
from mailbox.drafts import composer, recipients
from mailbox.drafts.forms import DraftForm
from mailbox.models import (
    AccessLogEntry,
    Attachment,
    Conversation,
    Document,
    Draft,
    FunctionMailbox,
    Membership,
    Message,
    RetentionProtocol,
    RetentionRule,
    SearchEntry,
)
from tests.mailbox.build import send_now
from tests.world import federation, world
from transport.access_point.models import InboundTransfer
from transport.message_service import orders
from transport.message_service.models import OutgoingMessage
from transport.message_service.tracking.evidence import Kind, evidence_of

from .build import HERE, a_member, a_message_in, log_in, with_role

__all__ = ["federation", "world"]
pytestmark = [pytest.mark.django_db, pytest.mark.xdist_group("federation-clients")]


@pytest.fixture
def mailbox(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path
    return FunctionMailbox.objects.create(participant_id=HERE, address="funktion-b", name="Mottagning")


@pytest.fixture
def administrator():
    return with_role("administrator")


def aged(mailbox: FunctionMailbox, days: float) -> Conversation:
    """A conversation that waits for somebody, in which the last happened so long ago."""
    conversation = a_message_in(mailbox).conversation
    at = timezone.now() - timedelta(days=days)
    Conversation.objects.filter(pk=conversation.pk).update(last_activity_at=at, last_arrived_at=at)
    return conversation


def a_rule(mailbox: FunctionMailbox, days: int = 90, state: str = "unhandled") -> RetentionRule:
    return RetentionRule.objects.create(mailbox=mailbox, state=state, days=days)


def left() -> set[int]:
    return set(Conversation.objects.values_list("pk", flat=True))


def files_in(directory: Path) -> list[Path]:
    return [path for path in directory.rglob("*") if path.is_file()]


def test_what_is_older_than_the_rule_says_goes_and_the_rest_stays(
    mailbox, tmp_path, django_capture_on_commit_callbacks
):
    old, young = aged(mailbox, 90.1), aged(mailbox, 89.9)
    a_rule(mailbox)
    with django_capture_on_commit_callbacks(execute=True):
        assert retention.run() == 1
    assert left() == {young.pk}
    for model in (Message, Document, Attachment, SearchEntry):
        assert model.objects.count() == 1, model
    assert len(files_in(tmp_path)) == 1
    protocol = RetentionProtocol.objects.get()
    assert (protocol.conversation_id, protocol.days, protocol.attachment_count) == (
        old.conversation_id,
        90,
        1,
    )
    assert AccessLogEntry.objects.get(what="retention-run").details["deleted"] == 1


def test_without_a_rule_nothing_goes(mailbox):
    aged(mailbox, 10_000)
    assert retention.run() == 0
    assert len(left()) == 1


def test_a_rule_is_of_one_mailbox_and_one_state(mailbox):
    beside = FunctionMailbox.objects.create(participant_id=HERE, address="b", name="Ekonomi")
    waiting = aged(mailbox, 100)
    a_rule(beside)
    a_rule(mailbox, state="handled")
    assert retention.run() == 0
    answer = waiting.messages.get()
    answer.pk, answer.direction, answer.at = None, Message.Direction.OUT, timezone.now()
    answer.save()
    assert retention.run() == 1


@pytest.mark.parametrize("state", ["done", "trash"])
def test_what_is_done_and_what_was_thrown_away_have_rules_of_their_own(mailbox, state):
    kept, going = aged(mailbox, 100), aged(mailbox, 100)
    Conversation.objects.filter(pk=going.pk).update(state=state)
    a_rule(mailbox, state="handled")
    assert retention.run() == 0
    a_rule(mailbox, state=state)
    assert retention.run() == 1
    assert left() == {kept.pk}


def test_a_conversation_that_is_held_stays_until_it_is_let_go(mailbox, client):
    conversation = aged(mailbox, 100)
    a_rule(mailbox)
    member = a_member(mailbox)
    log_in(client, member)
    url = reverse("retention-hold", args=[conversation.pk])
    client.post(url, {"held": "1"})
    assert retention.run() == 0
    client.post(url, {"held": "0"})
    assert retention.run() == 1
    what = AccessLogEntry.objects.order_by("number").values_list("what", "actor")
    assert list(what)[:2] == [("retention-held", member.pk), ("retention-released", member.pk)]


def test_a_hold_is_in_the_conversation_s_own_history_with_who_and_when(mailbox, client):
    conversation = aged(mailbox, 100)
    member = a_member(mailbox)
    taken = assignment.assign(conversation.pk, member)
    log_in(client, member)
    url, shown = (
        reverse("retention-hold", args=[conversation.pk]),
        reverse("conversation", args=[conversation.pk]),
    )
    client.post(url, {"held": "1"})
    assert f"Undantagen av {member.name}" in client.get(shown).content.decode()
    client.post(url, {"held": "1"})
    assert undo.undoable(conversation, member) == taken, "it changes nothing that could be undone"
    client.post(url, {"held": "0"})
    client.post(url, {"held": "0"})
    history = client.get(shown).content.decode().partition('class="history"')[2].partition("</ol>")[0]
    for what, line in (
        ("held", f"Undantagen från gallring av {member.name}"),
        ("released", f"Undantaget från gallring hävt av {member.name}"),
    ):
        at = timezone.localtime(conversation.events.get(what=what).at)
        assert f'<time datetime="{at.isoformat()}">' in history
        assert history.count(line) == 1


def test_a_conversation_that_somebody_is_answering_stays(mailbox):
    conversation = aged(mailbox, 100)
    a_rule(mailbox)
    composer.begin_answer(conversation.messages.get(), a_member(mailbox))
    assert retention.run() == 0
    Draft.objects.all().delete()
    assert retention.run() == 1


def test_what_happens_meanwhile_keeps_a_conversation(mailbox):
    conversation = aged(mailbox, 100)
    rule = a_rule(mailbox)
    Conversation.objects.update(last_activity_at=timezone.now())
    assert retention._delete_if_due(rule, conversation.pk) is False
    assert left() == {conversation.pk}


def test_envelopes_and_payloads_go_on_both_sides_and_receipts_stay(
    world, settings, django_capture_on_commit_callbacks
):
    person = a_member(world.sender.mailbox, world.recipient.mailbox)
    from addressbook.models import FunctionAddress, Organisation

    organisation = Organisation.objects.create(
        book_id="1", participant_id=world.recipient.participant.value, name="Mottagarverket"
    )
    function = FunctionAddress.objects.create(
        book_id="1", organisation=organisation, identifier=world.recipient.mailbox.address, name="Praktik"
    )
    draft = composer.begin(world.sender.mailbox, person)
    draft = recipients.choose_recipient(draft.pk, draft.version, function, person)
    written = DraftForm.content_of({"subject": "Ämne", "text": "Text"})
    send_now(draft.pk, draft.version, written, person)
    world.pump()
    sent = OutgoingMessage.objects.get(kind=OutgoingMessage.Kind.MESSAGE)
    arrived = InboundTransfer.objects.get(document_id__contains="MessageWithAttachments")
    said = [Path(settings.MEDIA_ROOT) / name for name in (sent.envelope_name, arrived.envelope_name)]
    assert all(path.exists() for path in said)
    before = len(files_in(Path(settings.MEDIA_ROOT)))
    Conversation.objects.update(last_activity_at=timezone.now() - timedelta(days=100))
    for party in (world.sender, world.recipient):
        for state in RetentionRule.State:
            a_rule(party.mailbox, state=state)
    with django_capture_on_commit_callbacks(execute=True):
        assert retention.run() == 2
    assert not any(path.exists() for path in said)
    # The receipt, as it was sent, as it arrived and as it is kept.
    assert len(files_in(Path(settings.MEDIA_ROOT))) == before - 2
    sent.refresh_from_db()
    assert (sent.payload_name, sent.envelope_name, sent.state) == ("", "", "ACCEPTED")
    assert set(evidence_of(world.sender.participant.value, sent.message_id, was_sent=True)) == {
        Kind.TRANSPORT_RECEIPT,
        Kind.MESSAGE_RECEIPT,
    }


def test_a_message_that_is_still_in_work_stays(world, settings):
    mailbox = world.sender.mailbox
    message_id = orders.order(world.message(), actor="Karin")
    conversation = Conversation.objects.create(
        mailbox=mailbox,
        conversation_id=message_id,
        counterpart="X",
        last_activity_at=timezone.now() - timedelta(days=100),
    )
    Message.objects.create(
        conversation=conversation,
        direction="out",
        message_id=message_id,
        is_confidential=False,
        at=timezone.now(),
    )
    a_rule(mailbox, state="handled")
    assert retention.run() == 0
    assert left() == {conversation.pk}


# --- The pages


def url_of(mailbox: FunctionMailbox, state: str = "unhandled") -> str:
    return reverse("administration-retention-rule", args=[mailbox.pk, state])


def test_what_would_go_is_shown_before_and_nothing_changes_by_looking(mailbox, client, administrator):
    for days in (10, 50, 89, 91, 200):
        aged(mailbox, days)
    retention.hold(a_member(mailbox), aged(mailbox, 300))
    log_in(client, administrator)
    page = client.post(url_of(mailbox), {"days": "90"})
    preview = page.context["preview"]
    assert (preview.now, preview.within_a_month, preview.later, preview.held) == (2, 1, 2, 1)
    assert not RetentionRule.objects.exists()
    assert len(left()) == 6


@pytest.mark.parametrize("typed", ["", "ja", "Mottagningen"])
def test_without_the_mailbox_s_name_nothing_is_changed(mailbox, client, administrator, typed):
    log_in(client, administrator)
    page = client.post(url_of(mailbox), {"days": "90", "confirmation": typed})
    assert page.status_code == 422
    assert set(page.context["errors"]) == {"confirmation"}
    assert not RetentionRule.objects.exists()


def test_with_the_mailbox_s_name_the_rule_is_set_and_lifted_and_both_are_logged(
    mailbox, client, administrator
):
    log_in(client, administrator)
    client.post(url_of(mailbox), {"days": "90", "confirmation": "Mottagning"})
    assert RetentionRule.objects.get().days == 90
    client.post(url_of(mailbox), {"days": "", "confirmation": "mottagning "})
    assert not RetentionRule.objects.exists()
    details = [entry.details for entry in AccessLogEntry.objects.filter(what="retention-changed")]
    assert [(one["before"], one["after"]) for one in details] == [(None, 90), (90, None)]


@pytest.mark.parametrize("days", ["29", "0", "-5", "x", "99999999", "²"])
def test_days_that_no_rule_may_say_are_refused(mailbox, client, administrator, days):
    log_in(client, administrator)
    page = client.post(url_of(mailbox), {"days": days, "confirmation": "Mottagning"})
    assert page.status_code == 422
    assert not RetentionRule.objects.exists()


def test_the_pages_show_what_goes_next_and_the_protocol_without_content(mailbox, client, administrator):
    conversation = aged(mailbox, 80)
    gone = aged(mailbox, 100)
    a_rule(mailbox)
    retention.run()
    log_in(client, administrator)
    page = client.get(url_of(mailbox)).content.decode()
    assert str(conversation.conversation_id) in page
    assert conversation.subject not in page
    page = client.get(reverse("administration-retention")).content.decode()
    assert str(gone.conversation_id) in page
    file = b"".join(client.get(reverse("administration-retention-file")).streaming_content).decode()
    assert str(gone.conversation_id) in file
    assert gone.subject not in page + file


def test_a_member_of_another_mailbox_holds_nothing_here(mailbox, client):
    beside = FunctionMailbox.objects.create(participant_id=HERE, address="b", name="Ekonomi")
    conversation = aged(mailbox, 1)
    log_in(client, a_member(beside, role=Membership.Role.MANAGER))
    assert client.post(reverse("retention-hold", args=[conversation.pk]), {"held": "1"}).status_code == 404
