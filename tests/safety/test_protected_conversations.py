"""A protected conversation, and a member of its mailbox who is not named in it: whatever they ask, in no
answer is there a word of it.

Everything of the conversation carries the same word. Every URL is asked for with the numbers of what belongs
to the conversation, by a member and by a manager who are not named.
"""

import json
from dataclasses import replace

import pytest
from django.db import transaction
from django.test import Client
from django.urls import get_resolver, reverse
from django.utils import timezone

from mailbox import access
from mailbox.arrival_rules import dry_run
from mailbox.arrival_rules.decision import Actions, Conditions
from mailbox.arrival_rules.descriptions import Choices
from mailbox.arrival_rules.rule_list import Content
from mailbox.case_systems import deliveries
from mailbox.conversations import case_deliveries, labels, notes, presence
from mailbox.delivery.inbound import deliver
from mailbox.drafts import composer, forwarding
from mailbox.live import open_pages
from mailbox.models import (
    Attachment,
    CaseDelivery,
    CaseSystem,
    CaseSystemMailbox,
    Conversation,
    ConversationEvent,
    FunctionMailbox,
    Message,
    Person,
)
from mailbox.protection import acts
from mailbox.registration import entries
from mailbox.search import index
from mailbox.search.query import Filters, find
from mailbox.workplace import inbox
from tests.mailbox.build import a_member
from tests.safety.test_reach import (
    ELSEWHERE_TESTED,
    KNOWN_BY_TOKEN,
    TABLE,
    World,
    a_failed_delivery,
    is_login,
    patterns,
)
from tests.safety.test_reach import world as world_of_reach
from tests.transport.protocol.build import a_message
from transport.message_service.client_port import Delivered
from transport.protocol.identifiers import ParticipantId
from transport.protocol.sdk_message.message import BytesContent, File

pytestmark = pytest.mark.django_db
world = world_of_reach
WORD = "hemlighet"
UNNAMED = ("colleague", "manager")
# Of the conversation itself: what names one of these in its address does not exist for those not named.
OF_IT = frozenset(
    {
        "conversation_id",
        "message_id",
        "attachment_id",
        "draft_id",
        "version_id",
        "note_id",
        "registration_id",
        "mailing_id",
        "delivery_id",
    }
)


@pytest.fixture
def hidden(world) -> World:
    """The world of the URL table, in whose mailbox a conversation is protected for one member alone."""
    mailbox = FunctionMailbox.objects.get(pk=world.arguments["mailbox_id"])
    member, manager = world.people["member"], world.people["manager"]
    world.people["colleague"] = a_member("colleague", mailbox)
    message = said_in(mailbox)
    conversation = message.conversation
    note, _ = notes.write(conversation.pk, manager, f"{WORD} i en anteckning", mentioned=[member.pk])
    label = labels.create(mailbox, "Etikett", "grey")
    labels.set_labels(conversation.pk, manager, [label.pk], seen=[])
    registration = entries.register(
        conversation.pk, member, entries.Entry("case", case_number=f"{WORD} 2026/1")
    )
    answer = composer.begin_answer(message, member)
    answer = composer.save(
        answer.pk, answer.version, composer.Content({"text": f"{WORD} i ett svar"}), member
    )
    version = answer.versions.create(content={"text": WORD}, written_by=member, written_at=timezone.now())
    forwarded = forwarding.begin(message, member)
    composer.keep(forwarded)
    mailing = mailbox.mailings.create(at=timezone.now(), written_by=member)
    Message.objects.filter(pk=message.pk).update(mailing=mailing)
    index.index_missing(everything=True)
    system = CaseSystem.objects.get(pk=world.arguments["case_system_id"])
    CaseSystem.objects.filter(pk=system.pk).update(is_enabled=True)
    delivery = a_failed_delivery(conversation, system)
    acts.set_named_members(conversation.pk, member, [])
    return replace(
        world,
        arguments=world.arguments
        | {
            "conversation_id": conversation.pk,
            "message_id": message.pk,
            "attachment_id": Attachment.objects.get(document__message=message).pk,
            "note_id": note.pk,
            "registration_id": registration.pk,
            "draft_id": answer.pk,
            "version_id": version.pk,
            "forwarding_id": forwarded.pk,
            "mailing_id": mailing.pk,
            "delivery_id": delivery.pk,
            "protected_id": conversation.pk,
            "label_of_it": label.pk,
        },
    )


def said_in(mailbox: FunctionMailbox, conversation_id: str = "") -> Message:
    """A message of which every part has the word, and which nobody else in the mailbox has written with."""
    message = a_message(
        text=f"{WORD} i texten",
        recipient=ParticipantId(mailbox.participant_id),
        files=(File(f"{WORD}.pdf", "application/pdf", BytesContent(b"%PDF-1")),),
    )
    header = replace(message.header, label=f"{WORD} i ämnet")
    if conversation_id:
        header = replace(header, conversation_id=conversation_id)
    arrived = Delivered(
        mailbox.participant_id, replace(message, header=header), f"0203:{WORD}.se", timezone.now()
    )
    deliver([arrived])
    return Message.objects.get(message_id=header.message_id)


def browser(person: Person) -> Client:
    client = Client(raise_request_exception=True)
    client.force_login(person, backend="mailbox.accounts.login.EidBackend")
    return client


def text_of(response) -> str:
    body = b"".join(response.streaming_content) if response.streaming else response.content
    return body.decode("utf-8", "replace").lower() + json.dumps(dict(response.headers)).lower()


@pytest.mark.parametrize("role", UNNAMED)
@pytest.mark.parametrize("is_part", [False, True])
def test_no_url_tells_a_word_of_it_to_who_is_not_named(hidden, role, is_part):
    client, told, reached = browser(hidden.people[role]), [], []
    headers = {"hx-request": "true"} if is_part else {}
    for name, pattern in patterns(get_resolver("sdkportal.urls")):
        if name in ELSEWHERE_TESTED | KNOWN_BY_TOKEN:
            continue
        names = set(pattern.pattern.converters)
        arguments = {key: hidden.arguments[key] for key in names}
        for method in TABLE[name][0].split():
            with transaction.atomic():
                response = getattr(client, method)(reverse(name, kwargs=arguments), headers=headers)
                text = text_of(response)
                transaction.set_rollback(True)
            if WORD in text:
                told.append((name, method))
            if names & OF_IT and response.status_code != 404 and not is_login(response):
                reached.append((name, method, response.status_code))
    assert told == []
    assert reached == []


def test_who_is_named_finds_the_word_on_those_pages(hidden):
    """Else the test above would look for nothing."""
    client, told = browser(hidden.people["member"]), set()
    for name, pattern in patterns(get_resolver("sdkportal.urls")):
        arguments = {key: hidden.arguments.get(key) for key in pattern.pattern.converters}
        if "get" in TABLE.get(name, ("",))[0].split() and all(arguments.values()):
            response = client.get(reverse(name, kwargs=arguments))
            told |= {name} if WORD in text_of(response) else set()
    assert told >= {
        "start",
        "mailbox",
        "all-mailboxes",
        "conversation",
        "draft",
        "mailing",
        "mailings",
        "message-text",
        "attachment-show",
        "registration-correct",
        "protection",
    }


@pytest.mark.parametrize("role", UNNAMED)
def test_lists_searches_and_filters_do_not_find_it(hidden, role):
    client = browser(hidden.people[role])
    mailbox_id, key = hidden.arguments["mailbox_id"], hidden.arguments["conversation_id"]
    views = [f"view={view}" for view in inbox.View]
    queries = [*views, *(f"status={status}" for status in inbox.Status), "attachments=on", "confidential=on"]
    queries += [f"organisation={WORD}", f"label={hidden.arguments['label_of_it']}", "order=oldest"]
    for query in queries:
        for url in (reverse("mailbox", args=[mailbox_id]), reverse("all-mailboxes")):
            text = text_of(client.get(f"{url}?{query}"))
            assert WORD not in text.replace(f"organisation={WORD}", "").replace(f'value="{WORD}"', ""), query
            assert reverse("conversation", args=[key]) not in text, query
    found = text_of(client.post(reverse("search"), {"question": WORD}))
    assert "/konversation/" not in found
    assert "/utkast/" not in found
    for narrow in (Filters(), Filters(are_notes=True), Filters(are_drafts=True), Filters(is_outgoing=False)):
        hits = find(hidden.people[role], WORD, narrow)
        assert (list(hits.hits), hits.next_after) == ([], None)
        assert find(hidden.people["member"], WORD, narrow).hits


def test_hits_that_are_hidden_leave_no_empty_page(hidden):
    mailbox = FunctionMailbox.objects.get(pk=hidden.arguments["mailbox_id"])
    identity = str(Conversation.objects.get(pk=hidden.arguments["conversation_id"]).conversation_id)
    for _number in range(25):
        said_in(mailbox, identity)
    hits = find(hidden.people["colleague"], WORD)
    assert (list(hits.hits), hits.next_after) == ([], None)


def test_it_is_handed_over_to_a_case_system_by_order_alone(hidden):
    conversation = Conversation.objects.get(pk=hidden.arguments["conversation_id"])
    conversation.case_deliveries.all().delete()
    CaseSystemMailbox.objects.update(delivers_at=CaseDelivery.Trigger.REGISTRATION)
    case_deliveries.order_by_itself(conversation, CaseDelivery.Trigger.REGISTRATION)
    assert not conversation.case_deliveries.exists()
    member, system = hidden.people["member"], hidden.arguments["case_system_id"]
    ordered = case_deliveries.order(conversation.pk, member, system)
    assert ordered.state == CaseDelivery.State.WAITING
    ordered.delete()
    # Ordered by itself before it was protected, and not yet handed over.
    Conversation.objects.filter(pk=conversation.pk).update(is_protected=False)
    conversation.refresh_from_db()
    case_deliveries.order_by_itself(conversation, CaseDelivery.Trigger.REGISTRATION)
    Conversation.objects.filter(pk=conversation.pk).update(is_protected=True)
    before = conversation.case_deliveries.get()
    deliveries.work_on(before.pk)
    before.refresh_from_db()
    assert (before.state, before.cause) == (CaseDelivery.State.WITHDRAWN, CaseDelivery.Cause.PROTECTED)
    assert before.newest_message is None


@pytest.mark.parametrize("role", UNNAMED)
def test_no_counter_counts_it(hidden, role):
    person = hidden.people[role]
    mailbox = FunctionMailbox.objects.get(pk=hidden.arguments["mailbox_id"])

    def counted():
        boxes = [
            (vars(box)["unread_count"], vars(box)["inbox_count"], vars(box)["unassigned_count"])
            for box in inbox.mailboxes_with_counts(person)
        ]
        in_views = [inbox.count_in(mailbox, person, view) for view in inbox.View]
        of_labels = list(labels.labels_of(mailbox, person).values_list("used", flat=True))
        keys = inbox.keys_across(person, inbox.View.INBOX, inbox.Filters(), most=50)
        return boxes, inbox.counts(mailbox, person), in_views, of_labels, len(keys)

    before = counted()
    key = hidden.arguments["conversation_id"]
    with transaction.atomic():
        acts.end_protection(key, hidden.people["member"])
        assert counted() != before
        transaction.set_rollback(True)
    said_in(mailbox, str(Conversation.objects.get(pk=key).conversation_id))
    assert counted() == before


@pytest.mark.parametrize("role", UNNAMED)
def test_nothing_is_changed_in_it_by_who_is_not_named(hidden, role):
    client, key = browser(hidden.people[role]), hidden.arguments["conversation_id"]
    before = Conversation.objects.values().get(pk=key)
    events = ConversationEvent.objects.filter(conversation=key).count()
    for action in ("take", "finish", "throw-away", "prioritise", "remind"):
        chosen = {"chosen": key, "action": action, "day": "2030-01-01"}
        client.post(reverse("act-on-many", args=[hidden.arguments["mailbox_id"]]), chosen)
        client.post(reverse("act-on-many", args=[hidden.arguments["mailbox_id"]]), {**chosen, "is_all": "1"})
        client.post(reverse("act-on-many-across"), chosen)
    latest = ConversationEvent.objects.filter(conversation=key).latest("pk")
    client.post(reverse("undo", args=[key]), {"event": latest.pk})
    assert Conversation.objects.values().get(pk=key) == before
    assert ConversationEvent.objects.filter(conversation=key).count() == events


def test_a_dry_run_of_a_rule_does_not_look_at_it(hidden):
    mailbox = FunctionMailbox.objects.get(pk=hidden.arguments["mailbox_id"])
    content = Content("Regel", True, False, Conditions(words=(WORD,)), Actions(is_priority=True))
    choices = Choices({}, {}, {})
    assert not dry_run.run(mailbox, hidden.people["manager"], None, content, choices).matches
    assert dry_run.run(mailbox, hidden.people["member"], None, content, choices).matches


def test_open_pages_do_not_tell_who_is_in_it(hidden, client):
    key, member = hidden.arguments["conversation_id"], hidden.people["member"]
    presence.mark_present(member.pk, presence.Activity(key, is_writing=True))

    def status_of(person):
        own = browser(person)
        page = open_pages.Page(own.session.session_key, (key,), (hidden.arguments["draft_id"],))
        return open_pages.check_pages([open_pages.PageCheck(page, marks_presence=True)])[0]

    for role in UNNAMED:
        status = status_of(hidden.people[role])
        assert status.access.conversation_ids == frozenset()
        assert not status.present
    assert status_of(member).present


def test_every_queryset_of_access_leaves_it_out(hidden):
    """One that is added to `access` and tells of conversations belongs here."""
    manager, key = hidden.people["manager"], hidden.arguments["conversation_id"]
    assert not access.conversations_of(manager).filter(pk=key).exists()
    assert not access.undoable_by(manager).filter(pk=key).exists()
    of_conversation = (
        access.messages_of(manager).filter(conversation=key),
        access.notes_of(manager).filter(conversation=key),
        access.registrations_of(manager).filter(conversation=key),
        access.offers_to(manager).filter(conversation=key),
        access.attachments_of(manager).filter(document__message__conversation=key),
        access.drafts_of(manager).filter(answers__conversation=key),
        access.drafts_of(manager).filter(pk=hidden.arguments["forwarding_id"]),
    )
    assert not any(rows.exists() for rows in of_conversation)
    member = hidden.people["member"]
    assert access.drafts_of(member).filter(pk=hidden.arguments["forwarding_id"]).exists()


@pytest.mark.parametrize(
    "role", ["administrator", "auditor", "member of another mailbox", "member elsewhere"]
)
def test_others_see_no_row_of_it_and_do_not_open_it(hidden, role):
    client = browser(hidden.people[role])
    key = hidden.arguments["conversation_id"]
    for url in (reverse("protected-open", args=[key]), reverse("protection", args=[key])):
        assert client.get(url).status_code == 404
        answer = client.post(url, {"reason": "urgent", "explanation": "x", "action": "protect"})
        assert answer.status_code == 404
