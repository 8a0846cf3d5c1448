"""The pages of approval, with and without rights; what a mailbox demands; and what an observer sees."""

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from mailbox import access
from mailbox.administration import mailboxes
from mailbox.approval import mailbox_settings
from mailbox.conversations import assignment
from mailbox.drafts import composer
from mailbox.drafts.approval_requests import acts
from mailbox.models import (
    AccessLogEntry,
    ApprovalRequest,
    Conversation,
    DraftAttachment,
    Membership,
    Message,
    NamedMember,
    OrganisationRole,
    Person,
)
from mailbox.protection.acts import set_named_members
from mailbox.statistics import observed
from tests.mailbox.build import a_member, arrives, log_in

from .build import State, a_draft, asked, demands, seconds_pass, with_role

pytestmark = pytest.mark.django_db


def as_(person: Person) -> Client:
    client = Client()
    log_in(client, person)
    return client


def page(client: Client, name: str, *arguments: object, status: int = 200) -> str:
    response = client.get(reverse(name, args=arguments))
    assert response.status_code == status
    return response.content.decode()


def answer_form(asked_for: ApprovalRequest, **said: object) -> dict[str, object]:
    keys = DraftAttachment.objects.filter(draft=asked_for.draft_id).values_list("pk", flat=True)
    return {"request": asked_for.pk, "attachments": ",".join(map(str, keys)), "seen": "", **said}


def test_two_people_ask_look_and_approve_in_their_pages(mailbox, function, karin, ahmed):
    draft = a_draft(mailbox, function, karin, text="Hemlig text")
    writing, answering = as_(karin), as_(ahmed)
    form = {"version": draft.version, "attachments": ""}
    response = writing.post(reverse("approval-ask", args=[draft.pk]), form)
    assert response.headers["Location"] == reverse("draft", args=[draft.pk])
    assert "bad om" in page(writing, "draft", draft.pk)
    assert ">Att godkänna <" in page(answering, "start")
    assert ">Att godkänna <" not in page(writing, "start")
    assert "Kallelse till möte" in page(answering, "approvals")
    shown = page(answering, "approval", draft.pk)
    for part in ("Hemlig text", "Arbetsträning", "Karin", "Kallelse till möte", "Godkänn och skicka"):
        assert part in shown
    request = draft.approval_requests.get()
    answering.post(reverse("approval", args=[draft.pk]), answer_form(request))
    seconds_pass(draft)
    assert Message.objects.get().written_by == karin
    assert AccessLogEntry.objects.filter(what="draft-opened", actor=ahmed).exists()


def test_who_looked_at_something_else_sees_the_changes_and_is_asked_again(mailbox, function, karin, ahmed):
    draft = a_draft(mailbox, function, karin)
    first = asked(draft, karin)
    answering = as_(ahmed)
    form = answer_form(first)
    draft = composer.save(draft.pk, draft.version, composer.Content({"text": "Välkomna."}), karin)
    # Changed, and not asked for again.
    response = answering.post(reverse("approval", args=[draft.pk]), form)
    assert response.status_code == 409
    text = response.content.decode()
    assert "Begäran är avslutad" in text
    assert "<del>Välkommen.</del>" in text
    # Asked for again.
    second = asked(draft, karin)
    response = answering.post(reverse("approval", args=[draft.pk]), form)
    assert response.status_code == 409
    text = response.content.decode()
    assert "Utkastet har ändrats sedan du granskade det" in text
    assert "<ins>Välkomna.</ins>" in text
    assert not Message.objects.exists()
    second.refresh_from_db()
    assert second.state == State.OPEN
    response = answering.post(reverse("approval", args=[draft.pk]), answer_form(second))
    assert response.status_code == 302


def test_the_second_of_two_is_told_who_was_first(mailbox, function, karin, ahmed):
    draft = a_draft(mailbox, function, karin)
    request = asked(draft, karin)
    maria = as_(a_member("Maria", mailbox))
    form = answer_form(request)
    as_(ahmed).post(reverse("approval", args=[draft.pk]), form)
    response = maria.post(reverse("approval", args=[draft.pk]), form)
    assert response.status_code == 409
    assert "Ahmed hann godkänna" in response.content.decode()
    seconds_pass(draft)
    response = maria.post(reverse("approval", args=[draft.pk]), form)
    assert response.status_code == 302
    assert Message.objects.count() == 1


def test_giving_back_takes_a_reason(mailbox, function, karin, ahmed):
    draft = a_draft(mailbox, function, karin)
    request = asked(draft, karin)
    client, url = as_(ahmed), reverse("approval-return", args=[draft.pk])
    for reason in ("", "   ", "x" * 1001):
        response = client.post(url, {"request": request.pk, "reason": reason})
        assert response.status_code == 422
    assert client.post(url, {"request": request.pk, "reason": "a\0b"}).status_code == 422
    assert client.post(url, {"request": "x", "reason": "Nej"}).status_code == 409
    client.post(url, {"request": request.pk, "reason": "Fel dnr"})
    writing = as_(karin)
    assert "Fel dnr" in page(writing, "draft", draft.pk)
    assert "Givna tillbaka" in page(writing, "start")
    assert "Fel dnr" in page(writing, "approvals")


@pytest.mark.parametrize("value", ["", "x", "\0", "9" * 40, "-1"])
def test_odd_values_approve_nothing(mailbox, function, karin, ahmed, value):
    draft = a_draft(mailbox, function, karin)
    request = asked(draft, karin)
    response = as_(ahmed).post(
        reverse("approval", args=[draft.pk]), answer_form(request, request=value, seen=value, confirmed=value)
    )
    assert response.status_code == 409
    request.refresh_from_db()
    assert request.state == State.OPEN


def test_another_drafts_request_is_not_approved_by_a_drafts_page(mailbox, function, karin, ahmed):
    """Whoever posts the key of another request approves that one, as it was: and nothing of this draft."""
    draft = a_draft(mailbox, function, karin)
    asked(draft, karin)
    own = asked(a_draft(mailbox, function, ahmed), ahmed)
    response = as_(ahmed).post(reverse("approval", args=[draft.pk]), answer_form(own))
    assert response.status_code == 409
    assert not ApprovalRequest.objects.filter(state=State.APPROVED).exists()


def test_a_writer_works_as_others_do(mailbox, karin, ahmed):
    conversation = arrives(mailbox).conversation
    assignment.assign(conversation.pk, karin)
    client = as_(karin)
    for name in ("register", "note", "reassign", "protection"):
        page(client, name, conversation.pk)
    assert mailbox in access.mailboxes_to_work_in(karin)
    assert mailbox not in access.mailboxes_to_send_from(karin)
    assert karin in access.possible_assignees(conversation)


def test_demanding_less_takes_two(mailbox, ahmed):
    maria = with_role(a_member("Maria", mailbox), mailbox, Membership.Role.MANAGER)
    OrganisationRole.objects.create(person=ahmed, participant_id=mailbox.participant_id)
    url = reverse("approval-mailbox", args=[mailbox.pk])
    manager, administrator = as_(maria), as_(ahmed)
    manager.post(url, {"action": "set", "demand": "all"})
    assert mailbox_settings.rule_of(mailbox).demand == "all"
    manager.post(url, {"action": "set", "demand": "none"})
    manager.post(url, {"action": "confirm", "demand": "none"})
    assert mailbox_settings.rule_of(mailbox).demand == "all"
    # What the page showed is confirmed, and not what was proposed since.
    administrator.post(url, {"action": "confirm", "demand": "confidential"})
    assert mailbox_settings.rule_of(mailbox).demand == "all"
    assert "Maria" in page(administrator, "approval-mailbox", mailbox.pk)
    administrator.post(url, {"action": "confirm", "demand": "none"})
    assert mailbox_settings.rule_of(mailbox).demand == "none"
    codes = AccessLogEntry.objects.filter(what__startswith="approval-rule").order_by("number")
    assert [entry.what for entry in codes] == [
        "approval-rule-set",
        "approval-rule-proposed",
        "approval-rule-set",
    ]
    assert manager.post(url, {"action": "set", "demand": "x"}).status_code == 422


def test_a_proposal_is_removed_and_by_demanding_more_too(mailbox, ahmed):
    maria = with_role(a_member("Maria", mailbox), mailbox, Membership.Role.MANAGER)
    demands(mailbox, "all")
    mailbox_settings.set_demand(maria, mailbox, "confidential")
    mailbox_settings.reject(maria, mailbox)
    with pytest.raises(mailbox_settings.NothingProposed):
        mailbox_settings.confirm(ahmed, mailbox, "confidential")
    mailbox_settings.set_demand(maria, mailbox, "none")
    mailbox_settings.set_demand(ahmed, mailbox, "all")
    assert mailbox_settings.rule_of(mailbox).proposed == ""


def test_an_observer_sees_counts_and_nothing_else(mailbox, function, karin, ahmed):
    message = arrives(mailbox)
    observer = with_role(a_member("Olle", mailbox), mailbox, Membership.Role.OBSERVER)
    asked(a_draft(mailbox, function, karin), karin)
    for querysets in (
        access.mailboxes_of,
        access.conversations_of,
        access.messages_of,
        access.drafts_of,
        access.notes_of,
        access.labels_of,
        access.approval_requests_of,
        access.approval_requests_to_answer,
        access.managed_by,
    ):
        assert not querysets(observer).exists()
    assert observer not in access.members_of(mailbox)
    assert access.mailbox_ids_of([observer.pk]) == {observer.pk: frozenset()}
    client = as_(observer)
    assert ">Siffror<" in page(client, "start")
    shown = page(client, "observed-figures")
    assert "Mottagning" in shown
    for hidden in (message.subject, message.counterpart_function, "Karin", "Ahmed"):
        assert hidden not in shown
    page(client, "mailbox", mailbox.pk, status=404)
    page(client, "conversation", message.conversation_id, status=404)
    page(client, "administration-statistics", status=404)
    response = client.post(reverse("search"), {"question": message.subject})
    assert reverse("conversation", args=[message.conversation_id]) not in response.content.decode()
    page(as_(karin), "observed-figures", status=404)


def test_an_observers_counts_are_sums(mailbox, karin):
    first, second = arrives(mailbox), arrives(mailbox)
    Conversation.objects.filter(pk=second.conversation_id).update(is_waiting=True)
    set_named_members(first.conversation_id, karin, [])
    observer = with_role(a_member("Olle", mailbox), mailbox, Membership.Role.OBSERVER)
    since, until = timezone.now() - timezone.timedelta(days=1), timezone.now() + timezone.timedelta(days=1)
    (shown,) = observed.observed_mailboxes(observer, since, until)
    assert (shown.now.inbox, shown.now.unassigned, shown.now.waiting) == (1, 1, 1)
    assert shown.figures.arrived == 2


@pytest.mark.parametrize("query", ["?since=x", "?since=2020-01-01&until=2019-01-01", "?until=%00"])
def test_odd_periods_do_no_harm(mailbox, query):
    observer = with_role(a_member("Olle", mailbox), mailbox, Membership.Role.OBSERVER)
    assert as_(observer).get(reverse("observed-figures") + query).status_code in {200, 422}


@pytest.mark.parametrize("end", ["time", "lock", "locked everywhere"])
def test_observing_ends_as_memberships_do(mailbox, end):
    observer = with_role(a_member("Olle", mailbox), mailbox, Membership.Role.OBSERVER)
    if end == "time":
        Membership.objects.filter(person=observer).update(ends_at=timezone.now())
    elif end == "lock":
        observer.locks.create(participant_id=mailbox.participant_id)
    else:
        observer.is_active = False
    assert not access.observed_by(observer).exists()


def test_who_becomes_an_observer_loses_what_they_had(mailbox, ahmed):
    conversation = arrives(mailbox).conversation
    manager = with_role(a_member("Maria", mailbox), mailbox, Membership.Role.MANAGER)
    assignment.assign(conversation.pk, ahmed)
    set_named_members(conversation.pk, ahmed, [manager.pk])
    mailboxes.add_known_member(manager, mailbox, ahmed, role="observer")
    conversation.refresh_from_db()
    assert conversation.assignee is None
    assert not NamedMember.objects.filter(membership__person=ahmed).exists()


def test_requests_end_with_an_other_organisations_people_left_out(mailbox, function, karin):
    stranger = a_member("Utomstående")
    draft = a_draft(mailbox, function, karin)
    request = asked(draft, karin)
    client = as_(stranger)
    page(client, "approval", draft.pk, status=404)
    for name in ("approval", "approval-return", "approval-withdraw", "approval-ask"):
        assert client.post(reverse(name, args=[draft.pk]), {"request": request.pk}).status_code == 404
    with pytest.raises(acts.NotAsked):
        acts.withdraw(draft.pk, stranger)
