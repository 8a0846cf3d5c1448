"""Every way by which a message leaves a mailbox: none lets anybody send alone what is to be approved."""

import ast
import uuid
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import settings
from django.urls import reverse
from django.utils import timezone

from mailbox.approval.rule import NotByWriter
from mailbox.conversations import assignment
from mailbox.delivery import resend
from mailbox.drafts import canned_texts, composer, forwarding, recipients, send_order
from mailbox.models import CannedText, Draft, FunctionMailbox, Membership, Message, Person
from tests.mailbox.build import a_member, arrives, log_in, reviewed
from transport.message_service.models import OutgoingMessage

from .build import a_draft, a_writer, approve, asked, demands, seconds_pass, with_role

pytestmark = pytest.mark.django_db
# The functions by which something leaves, and the only modules of the mailbox that call them.
WAYS_OUT = {
    # The text of automatic answers is set by those who manage the mailbox, and says nothing of a message.
    ("orders", "order"): {"mailbox/drafts/sent_copy.py", "mailbox/automatic_answers/sending.py"},
    ("resend", "send_again"): {"mailbox/delivery/resend.py"},
    ("delivery_resend", "send_again"): {"mailbox/delivery/views.py"},
    ("sent_copy", "send_to_first"): {"mailbox/drafts/send_order.py"},
    ("send_order", "schedule"): {"mailbox/drafts/approval_requests/acts.py"},
}


def calls_of(path: Path) -> set[tuple[str, str]]:
    return {
        (node.func.value.id, node.func.attr)
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
    }


def test_nothing_else_calls_what_lets_a_message_leave():
    found: dict[tuple[str, str], set[str]] = {}
    root = Path(settings.BASE_DIR)
    for path in (root / "mailbox").rglob("*.py"):
        for call in calls_of(path) & set(WAYS_OUT):
            found.setdefault(call, set()).add(str(path.relative_to(root)))
    assert found == WAYS_OUT


def approved_message(mailbox: FunctionMailbox, function) -> Message:
    """One that others have written, approved and sent."""
    eva = a_member("Eva", mailbox)
    draft = a_draft(mailbox, function, eva)
    approve(asked(draft, eva), a_member("Nils", mailbox))
    seconds_pass(draft)
    return Message.objects.get()


def begun(how: str, mailbox: FunctionMailbox, function, person: Person) -> Draft:
    """A draft that is ready to be sent, begun in one of the ways in which drafts begin."""
    if how in {"answer", "supplement", "forward"}:
        message = approved_message(mailbox, function) if how == "supplement" else arrives(mailbox)
        if how == "forward":
            draft = forwarding.begin(message, person)
            draft = recipients.choose_recipient(draft.pk, draft.version, function, person)
        else:
            draft = composer.begin_answer(message, person)
        return composer.save(draft.pk, draft.version, composer.Content({"text": "Svar"}), person)
    draft = a_draft(mailbox, function, person)
    if how == "several":
        type(function).objects.create(
            book_id="2", organisation=function.organisation, identifier="sdk:af-2", name="Kontor"
        )
        further = recipients.Recipient(0, "0203:af.se", "AF", "sdk:af-2", "Kontor")
        return recipients.add_recipients(draft.pk, draft.version, [further], person)
    if how == "inside":
        beside = FunctionMailbox.objects.create(
            participant_id=mailbox.participant_id, address="b", name="Ekonomi"
        )
        return recipients.choose_own_mailbox(draft.pk, draft.version, beside, person)
    if how == "canned":
        canned = CannedText(mailbox=mailbox, name="Kallelse", text="Kom hit.")
        text = canned_texts.with_addition(draft, canned.text, person)
        return composer.save(draft.pk, draft.version, composer.Content({"text": text}), person)
    return draft


def sent() -> int:
    return OutgoingMessage.objects.count()


@pytest.mark.parametrize("who", ["writer", "member", "manager"])
@pytest.mark.parametrize("when", ["at once", "with undo", "later"])
@pytest.mark.parametrize("how", ["new", "answer", "supplement", "forward", "several", "inside", "canned"])
def test_no_draft_leaves_without_approval(mailbox, function, who, when, how):
    person = with_role(a_member("Karin", mailbox), mailbox, who)
    if who != "writer":
        demands(mailbox, "all")
    draft = begun(how, mailbox, function, person)
    before = sent()
    times = {
        "at once": {"seconds": 0},
        "with undo": {"seconds": 10},
        "later": {"at": timezone.now() + timedelta(hours=1)},
    }
    with pytest.raises(send_order.ApprovalNeeded):
        send_order.order(draft.pk, reviewed(draft, is_confirmed=True), person, **times[when])
    draft.refresh_from_db()
    assert draft.send_at is None
    # And one that is ordered in a way that nobody has thought of does not leave.
    Draft.objects.filter(pk=draft.pk).update(send_at=timezone.now(), send_by=person)
    send_order.sweep()
    seconds_pass(draft)
    assert sent() == before
    draft.refresh_from_db()
    assert draft.trouble == send_order.NOT_APPROVED
    # Approved, it does.
    request = asked(draft, person)
    approve(request, a_member("Ahmed", mailbox))
    seconds_pass(draft)
    assert sent() - before == (2 if how == "several" else 1)


def a_failed_message(mailbox, function, person: Person) -> Message:
    """A message of the person's that failed, and may be sent again."""
    Membership.objects.filter(person=person).update(role=Membership.Role.MEMBER)
    draft = a_draft(mailbox, function, person)
    send_order.order(draft.pk, reviewed(draft), person)
    seconds_pass(draft)
    OutgoingMessage.objects.update(state="MESSAGE_EXCHANGE_ERROR")
    return Message.objects.get()


def test_a_writer_does_not_send_a_failed_message_again(mailbox, function, client):
    karin = a_member("Karin", mailbox)
    message = a_failed_message(mailbox, function, karin)
    with_role(karin, mailbox, Membership.Role.WRITER)
    log_in(client, karin)
    assert client.post(reverse("send-again", args=[message.pk])).status_code == 404
    with pytest.raises(assignment.NotAMember):
        resend.send_again(message, karin)


def test_where_it_is_demanded_somebody_else_sends_it_again(mailbox, function, client, monkeypatch):
    karin, ahmed = a_member("Karin", mailbox), a_member("Ahmed", mailbox)
    message = a_failed_message(mailbox, function, karin)
    demands(mailbox, "all")
    resent = []
    monkeypatch.setattr(resend.resend, "send_again", lambda *args, **said: resent.append(args))
    log_in(client, karin)
    response = client.post(reverse("send-again", args=[message.pk]), follow=True)
    assert "någon annan än du behöver skicka det igen" in response.content.decode()
    with pytest.raises(NotByWriter):
        resend.send_again(message, karin)
    assert resent == []
    resend.send_again(message, ahmed)
    assert len(resent) == 1


def test_pages_ask_instead_of_sending(mailbox, function, client):
    karin = a_writer("Karin", mailbox)
    draft = a_draft(mailbox, function, karin)
    log_in(client, karin)
    page = client.get(reverse("check", args=[draft.pk])).content.decode()
    assert "Be om godkännande" in page
    assert ">Skicka<" not in page
    keys = {"version": draft.version, "attachments": ""}
    for action in ("", "later", "send", uuid.uuid4().hex):
        later = f"{timezone.localtime() + timedelta(days=2):%Y-%m-%dT%H:%M}"
        response = client.post(reverse("check", args=[draft.pk]), {**keys, "action": action, "later": later})
        assert response.status_code == 409
        assert "Be om godkännande" in response.content.decode()
    assert sent() == 0
