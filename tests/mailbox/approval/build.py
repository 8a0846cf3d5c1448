"""Drafts that are to be approved, and people who do it."""

from datetime import timedelta

from django.utils import timezone

from addressbook.models import FunctionAddress
from mailbox.drafts import composer, recipients, send_order
from mailbox.drafts.approval_requests import acts
from mailbox.models import ApprovalRequest, ApprovalRule, Draft, FunctionMailbox, Membership, Person
from tests.mailbox.build import a_member, reviewed

State = ApprovalRequest.State


def a_writer(name: str, mailbox: FunctionMailbox) -> Person:
    return with_role(a_member(name, mailbox), mailbox, Membership.Role.WRITER)


def with_role(person: Person, mailbox: FunctionMailbox, role: str) -> Person:
    Membership.objects.filter(person=person, mailbox=mailbox).update(role=role)
    return person


def demands(mailbox: FunctionMailbox, demand: str) -> None:
    """Let the mailbox demand approval, whatever it demanded before."""
    ApprovalRule.objects.update_or_create(mailbox=mailbox, defaults={"demand": demand})


def a_draft(mailbox: FunctionMailbox, function: FunctionAddress, person: Person, **values: object) -> Draft:
    draft = composer.begin(mailbox, person)
    draft = recipients.choose_recipient(draft.pk, draft.version, function, person)
    said = {"subject": "Kallelse till möte", "text": "Välkommen.", **values}
    return composer.save(draft.pk, draft.version, composer.Content(said), person)


def asked(draft: Draft, person: Person, **said) -> ApprovalRequest:
    draft.refresh_from_db()
    return acts.ask(draft.pk, reviewed(draft, is_confirmed=True), person, **said)


def approve(request: ApprovalRequest, person: Person, **said) -> Draft:
    draft = Draft.objects.get(pk=request.draft_id)
    return acts.approve(request.pk, reviewed(draft, is_confirmed=True, **said), person)


def seconds_pass(draft: Draft) -> None:
    """Let it be time to send, and send it."""
    Draft.objects.filter(pk=draft.pk, send_at__isnull=False).update(
        send_at=timezone.now() - timedelta(seconds=1)
    )
    send_order.send_if_due(draft.pk)
