"""Two organisations on one installation: nobody of the one sees anything of the other's, whatever they ask.

Everything that each has carries a word of its own: in no answer to the other's people is it found.
"""

import io
import json
import uuid
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from django.db import transaction
from django.test import Client
from django.urls import get_resolver, reverse
from django.utils import timezone

from addressbook.models import OwnFunction
from mailbox import access, access_log
from mailbox.administration import alarms, mailboxes, retention
from mailbox.approval.content import content_of as content_of_draft
from mailbox.arrival_rules.decision import Conditions
from mailbox.attachments import uploads
from mailbox.conversations import labels, notes, reassignment
from mailbox.delivery.inbound import deliver
from mailbox.drafts import composer, draft_files
from mailbox.models import (
    ApprovalRequest,
    Attachment,
    CannedText,
    DistributionList,
    Draft,
    FunctionMailbox,
    Mailing,
    Membership,
    MembershipRule,
    Message,
    OrganisationIdentity,
    OrganisationRole,
    Person,
    Registration,
    RetentionProtocol,
    RetentionRule,
    WritingChoices,
)
from mailbox.registration import entries
from mailbox.staffed_hours import calendars, duty_lists
from mailbox.staffed_hours.calendar import Calendar
from tests.mailbox.arrival_rules.build import a_rule
from tests.mailbox.provisioning.build import a_directory
from tests.safety.test_reach import (
    ELSEWHERE_TESTED,
    KNOWN_BY_TOKEN,
    TABLE,
    a_case_system,
    a_department_with_a_leader,
    a_failed_delivery,
    a_protected_conversation,
    a_redirection,
    a_remote_service,
    an_sftp_system,
    is_login,
    patterns,
)
from tests.transport.protocol.build import a_message
from transport.access_point.models import TransferEvent
from transport.message_api.clients import proposals, registration, routing
from transport.message_api.models import ApiClient, FunctionRoute
from transport.message_service.client_port import Delivered
from transport.message_service.models import (
    CertificateRequest,
    IncomingMessage,
    Organisation,
    OrganisationKey,
    OutgoingMessage,
    QuarantinedFile,
)
from transport.message_service.tracking.evidence import evidence_of
from transport.protocol.identifiers import ParticipantId
from transport.protocol.sdk_message.message import BytesContent, File
from transport.storage import blobs
from transport.storage.blobs import BlobBinding

pytestmark = pytest.mark.django_db
ROLES = ("member", "manager", "administrator", "auditor")
# Reached whoever asks: what they answer is looked at all the same.
PUBLIC = {name for name, (_, reached_by) in TABLE.items() if "nobody" in reached_by}


@dataclass
class Side:
    """An organisation, its people, and what there is to ask for."""

    word: str
    participant: str
    mailbox: FunctionMailbox
    people: dict[str, Person] = field(default_factory=dict)
    arguments: dict[str, object] = field(default_factory=dict)
    message: Message | None = None

    def browser(self, role: str) -> Client:
        client = Client(raise_request_exception=True)
        client.force_login(self.people[role], backend="mailbox.accounts.login.EidBackend")
        return client


def a_side(word: str) -> Side:
    participant = f"0203:{word}.se"
    organisation = Organisation.objects.create(participant_id=participant, name=f"{word} kommun")
    mailbox = FunctionMailbox.objects.create(
        participant_id=participant, address="funktion-b", name=f"{word}brevlådan", unattended_after_hours=1
    )
    side = Side(word, participant, mailbox)
    side.people = {role: Person.add(uuid.uuid4().hex, f"{word} {role}")[0] for role in ROLES}
    for role in ("administrator", "auditor"):
        OrganisationRole.objects.create(person=side.people[role], participant_id=participant, role=role)
    membership = Membership.objects.create(person=side.people["member"], mailbox=mailbox)
    Membership.objects.create(person=side.people["manager"], mailbox=mailbox, role=Membership.Role.MANAGER)
    side.message = what_is_said(side)
    side.arguments = what_is_kept(side, organisation) | what_is_done_with_it(side)
    identity = OrganisationIdentity.objects.create(
        participant_id=side.participant,
        name=side.word,
        logo=b"\x89PNG",
        logo_type="image/png",
        logo_digest="x",
    )
    side.arguments |= {
        **a_directory(mailbox, side.people["administrator"], f"{word}gruppen"),
        **a_department_with_a_leader(mailbox, side.people["member"]),
        "identity_id": identity.pk,
        "mailbox_id": mailbox.pk,
        "conversation_id": side.message.conversation_id,
        "message_id": side.message.pk,
        "attachment_id": Attachment.objects.get(document__message=side.message).pk,
        "membership_id": membership.pk,
        "person_id": side.people["member"].pk,
        "protected_id": a_protected_conversation(mailbox, side.people["member"]),
        "view_id": side.people["member"].saved_views.create(name=f"Vy av {word}", address="across=on").pk,
        "role_id": side.people["auditor"].organisation_roles.get().pk,
        "state": "handled",
        "kind": "envelope",
    }
    return side


def what_is_said(side: Side) -> Message:
    """A message, a draft, and what of it lists, search and logs have."""
    message = a_message(
        text=f"Hemligt om {side.word}",
        recipient=ParticipantId(side.participant),
        files=(File(f"{side.word}.pdf", "application/pdf", BytesContent(b"%PDF-1")),),
    )
    deliver([Delivered(side.participant, message, f"0203:motpart-{side.word}.se", timezone.now())])
    row = Message.objects.get(message_id=message.header.message_id)
    # Waiting long enough for an alarm, and held by somebody.
    long_ago = timezone.now() - timedelta(days=2)
    type(row.conversation).objects.filter(pk=row.conversation_id).update(last_arrived_at=long_ago)
    return row


def what_is_done_with_it(side: Side) -> dict[str, object]:
    """A note that mentions somebody, a label, and an offer to take over."""
    conversation = side.message.conversation
    member, manager = side.people["member"], side.people["manager"]
    note, _ = notes.write(conversation.pk, manager, f"{side.word}anteckningen", mentioned=[member.pk])
    label = labels.create(side.mailbox, f"{side.word}etiketten", "grey")
    labels.set_labels(conversation.pk, manager, [label.pk], seen=[])
    said = {"done": f"{side.word}gjort", "remains": f"{side.word}kvar"}
    offer = reassignment.offer(conversation.pk, manager, to=member, **said)
    return {"note_id": note.pk, "label_id": label.pk, "reassignment_id": offer.pk} | what_is_written_with(
        side
    )


def what_is_written_with(side: Side) -> dict[str, object]:
    """A signature, a canned text, a distribution list with a recipient, and a mailing."""
    WritingChoices.objects.create(mailbox=side.mailbox, signature=f"{side.word}signaturen")
    canned = CannedText.objects.create(
        mailbox=side.mailbox, name=f"{side.word}texten", text=f"{side.word}hälsning"
    )
    listed = DistributionList.objects.create(mailbox=side.mailbox, name=f"{side.word}listan")
    listed.recipients.create(
        participant="0203:x.se", organisation=f"{side.word}x", address="x", function=f"{side.word}y"
    )
    mailing = Mailing.objects.create(
        mailbox=side.mailbox, at=timezone.now(), written_by=side.people["member"]
    )
    Message.objects.filter(pk=side.message.pk).update(mailing=mailing)
    return {"text_id": canned.pk, "list_id": listed.pk, "mailing_id": mailing.pk} | what_managers_set(side)


def what_managers_set(side: Side) -> dict[str, object]:
    """A rule on arrival, a registration, staffed hours with an exception, time limits and a duty list."""
    manager = side.people["manager"]
    rule = a_rule(side.mailbox, f"{side.word}regeln", when=Conditions(words=(f"{side.word}ordet",)))
    entry = entries.Entry(Registration.Kind.CASE, case_number=f"{side.word}-2026/1")
    registered = entries.register(side.message.conversation_id, manager, entry)
    owner = calendars.Owner(side.participant, side.mailbox)
    calendars.save(manager, owner, Calendar())
    calendars.set_exception(manager, owner, timezone.localdate(), (), f"{side.word}dagen")
    system = a_case_system(side.mailbox, f"{side.word}diariet")
    delivery = a_failed_delivery(side.message.conversation, system)
    duty_lists.set_duty_list(manager, side.mailbox, [side.people["member"]], 30)
    organisation = Organisation.objects.get(participant_id=side.participant)
    return {
        "arrival_rule_id": rule.pk,
        "registration_id": registered.pk,
        "case_system_id": system.pk,
        "sftp_system_id": an_sftp_system(side.mailbox).pk,
        **a_remote_service(organisation, f"{side.word}tjänsten"),
        "delivery_id": delivery.pk,
        "own_organisation_id": organisation.pk,
    }


def what_is_kept(side: Side, organisation: Organisation) -> dict[str, object]:
    draft = composer.begin(side.mailbox, side.people["member"])
    Draft.objects.filter(pk=draft.pk).update(recipient_function=f"{side.word}mottagaren")
    own = OwnFunction.objects.create(
        participant_id=side.participant, identifier=f"sdk:{side.word}", name=f"{side.word}funktionen"
    )
    rule = MembershipRule.objects.create(mailbox=side.mailbox, claim="groups", value=f"{side.word}gruppen")
    RetentionRule.objects.create(mailbox=side.mailbox, state="done", days=90)
    RetentionProtocol.objects.create(
        participant_id=side.participant,
        mailbox=side.mailbox,
        conversation_id=uuid.uuid4(),
        attachment_count=0,
        last_activity_at=timezone.now(),
        state="done",
        days=90,
    )
    TransferEvent.objects.create(
        kind="RECEIVED",
        sender=f"0203:motpart-{side.word}.se",
        recipient=side.participant,
        envelope_id=side.word,
    )
    access_log.record(side.people["member"], "searched", side.participant, about=side.word)
    OrganisationKey.objects.create(
        organisation=organisation,
        purpose="signing",
        private_key="a key",
        certificate="a certificate",
        fingerprint=uuid.uuid4().hex * 2,
        valid_from=timezone.now() - timedelta(days=700),
        valid_until=timezone.now() + timedelta(days=5),
    )
    request = CertificateRequest.objects.create(
        organisation=organisation, purpose="signing", request=f"{side.word} request", private_key="a key"
    )
    found = QuarantinedFile.objects.create(
        organisation=organisation, direction="in", signature=f"{side.word}-virus", size=1
    )
    set_aside = IncomingMessage.objects.create(
        transfer_id=uuid.uuid4(),
        organisation=organisation,
        sender=f"0203:till-{side.word}.se",
        state="ERROR",
        arrived_at=timezone.now(),
    )
    an_envelope(side, organisation)
    return {
        "api_client_id": a_message_client(side, organisation).pk,
        "draft_id": draft.pk,
        "asked_draft_id": (asked := a_draft_that_waits_for_approval(side)).pk,
        "draft_file_id": asked.attachments.get().pk,
        "version_id": draft.versions.create(
            content={"text": f"{side.word}versionen"},
            written_by=side.people["member"],
            written_at=timezone.now(),
        ).pk,
        "function_id": own.pk,
        "rule_id": rule.pk,
        "redirection_id": a_redirection(side.mailbox, side.people["manager"]).pk,
        "request_id": request.pk,
        "file_id": found.pk,
        "arrival_id": set_aside.pk,
        "category_id": 0,
    }


def a_draft_that_waits_for_approval(side: Side) -> Draft:
    """One by the member, which the manager may approve."""
    writer = side.people["member"]
    draft = Draft.objects.create(
        mailbox=side.mailbox,
        owner=writer,
        subject=f"{side.word} att godkänna",
        text=side.word,
        recipient_participant=side.participant,
        recipient_organisation=side.word,
        recipient_address=f"sdk:{side.word}",
        recipient_function=side.word,
        is_untouched=False,
    )
    name = f"{side.word}.txt"
    stored = uploads.store(io.BytesIO(b"Hej"), name, "text/plain", "drafts", side.participant)
    draft_files.keep_file(draft, stored, writer)
    draft.refresh_from_db()
    ApprovalRequest.objects.create(
        draft=draft,
        content=content_of_draft(draft, writer),
        writer_ids=[writer.pk],
        asked_by=writer,
        asked_at=timezone.now(),
    )
    return draft


def a_message_client(side: Side, organisation: Organisation) -> ApiClient:
    """One that fetches a function's messages, and has been offered more."""
    client_id, functions = f"{side.word}klienten", [f"sdk:{side.word}-*"]
    client = registration.register(organisation, client_id, auth_ids=functions).client
    proposals.propose_access(client, auth_ids=functions, scopes=[], by="0", by_name=f"{side.word}någon")
    routing.set_route(organisation, f"sdk:{side.word}-barn", FunctionRoute.To.EXTERNAL)
    return client


def an_envelope(side: Side, organisation: Organisation) -> None:
    """What the message came in, as evidence has it."""
    transfer_id = uuid.uuid4()
    place = BlobBinding(side.participant, "envelope", transfer_id)
    content = io.BytesIO(f"<x>{side.word}</x>".encode())
    sent = OutgoingMessage.objects.create(
        organisation=organisation,
        message_id=uuid.uuid4(),
        conversation_id=uuid.uuid4(),
        recipient=side.participant,
    )
    IncomingMessage.objects.create(
        transfer_id=transfer_id,
        sent_as=sent,
        envelope_name=blobs.store(f"{transfer_id}.envelope", content, place),
        organisation=organisation,
        sender="0203:af.se",
        message_id=side.message.message_id,
        is_accepted=True,
        arrived_at=timezone.now(),
    )


@pytest.fixture
def sides(settings, tmp_path) -> tuple[Side, Side]:
    settings.MEDIA_ROOT = tmp_path
    both = a_side("kastanj"), a_side("havtorn")
    alarms.send_alarms()
    return both


def content_of(response) -> str:
    body = b"".join(response.streaming_content) if response.streaming else response.content
    return body.decode("utf-8", "replace")


@pytest.mark.parametrize("role", ROLES)
def test_no_page_shows_anything_of_the_other_organisation(sides, role):
    seen, own_seen = [], 0
    for ours, theirs in (sides, sides[::-1]):
        client = ours.browser(role)
        for name, pattern in patterns(get_resolver("sdkportal.urls")):
            if name in ELSEWHERE_TESTED or name in {"addressbook:category", "addressbook:organisation"}:
                continue
            arguments = {key: ours.arguments[key] for key in pattern.pattern.converters}
            for method in TABLE[name][0].split():
                with transaction.atomic():
                    response = getattr(client, method)(reverse(name, kwargs=arguments))
                    text = content_of(response).lower()
                    transaction.set_rollback(True)
                own_seen += ours.word in text
                if theirs.word in text:
                    seen.append((name, method))
    assert seen == []
    assert own_seen > 4, "they do see their own"


@pytest.mark.parametrize("role", ROLES)
def test_nothing_of_the_other_organisation_is_reached_by_its_number(sides, role):
    """The numbers in addresses are guessed easily: they open nothing, and change nothing."""
    reached = []
    for ours, theirs in (sides, sides[::-1]):
        client = ours.browser(role)
        for name, pattern in patterns(get_resolver("sdkportal.urls")):
            names = set(pattern.pattern.converters) - {"category_id", "state", "kind"}
            # A logo is for everybody: it is shown where people log in.
            is_public = name == "organisation-logo" or name.startswith("addressbook:")
            if name in ELSEWHERE_TESTED | KNOWN_BY_TOKEN or not names or is_public:
                continue
            arguments = {key: theirs.arguments.get(key) for key in pattern.pattern.converters}
            for method in TABLE[name][0].split():
                with transaction.atomic():
                    response = getattr(client, method)(reverse(name, kwargs=arguments))
                    transaction.set_rollback(True)
                if response.status_code != 404 and not is_login(response):
                    reached.append((name, method, response.status_code))
    assert reached == []


def test_searching_for_the_other_s_words_finds_nothing(sides):
    for ours, theirs in (sides, sides[::-1]):
        client = ours.browser("member")
        found = content_of(client.post(reverse("search"), {"question": ours.word}))
        assert reverse("conversation", args=[ours.message.conversation_id]) in found
        missed = content_of(client.post(reverse("search"), {"question": theirs.word}))
        assert "/konversation/" not in missed


def test_files_of_logs_hold_one_s_own_only(sides):
    for ours, theirs in (sides, sides[::-1]):
        auditor = ours.browser("auditor")
        for url, asked in (
            (reverse("administration-access-log-file"), {}),
            (reverse("transfer-log"), {"export": "csv"}),
            (reverse("transfer-log"), {"export": "jsonl"}),
            (reverse("transfer-log"), {"id": theirs.word}),
        ):
            text = content_of(auditor.post(url, asked))
            assert (theirs.word in text.replace(f'value="{theirs.word}"', "")) is False, (url, asked)
        assert ours.word in content_of(auditor.post(reverse("transfer-log"), {"export": "csv"}))


def test_a_record_bundle_is_made_of_one_s_own_only(sides):
    for ours, theirs in (sides, sides[::-1]):
        client = ours.browser("member")
        url = reverse("record-bundle", args=[theirs.message.conversation_id])
        assert client.post(url).status_code == 404


def test_evidence_of_a_message_is_its_organisation_s(sides):
    ours, theirs = sides
    assert evidence_of(ours.participant, ours.message.message_id, was_sent=False)
    assert evidence_of(theirs.participant, ours.message.message_id, was_sent=False) == {}


def test_a_stream_of_events_heeds_one_s_own_mailboxes(sides):
    for ours, _theirs in (sides, sides[::-1]):
        for role in ROLES:
            heeded = set(access.mailboxes_of(ours.people[role]).values_list("pk", flat=True))
            assert heeded <= {ours.mailbox.pk}


def test_figures_name_no_organisation_mailbox_or_person(sides):
    text = content_of(Client().get(reverse("metrics"))).lower()
    assert "sdk_unattended_mailboxes" in text
    assert not any(side.word in text for side in sides)


def test_one_organisation_s_forms_name_no_other(sides):
    """What a form says of an organisation is held against what the person administers."""
    for ours, theirs in (sides, sides[::-1]):
        client = ours.browser("administrator")
        before = json.dumps(sorted(FunctionMailbox.objects.values_list("participant_id", "name")))
        for name, form in (
            ("administration", {"address": "x", "name": "X"}),
            ("administration-functions", {"identifier": "x", "name": "X"}),
            ("administration-routing", {"way": "out-and-back"}),
            ("administration-certificate-begin", {"purpose": "signing"}),
            ("administration-counterparts", {"participant": "0203:af.se"}),
            ("administration-clients", {"client_id": "x"}),
            ("administration-directory", {"name": "x", "until": "2100-01-01"}),
            ("administration-client-routes", {"function": "x", "to": "external"}),
        ):
            response = client.post(reverse(name), {**form, "organisation": theirs.participant})
            assert response.status_code in {404, 422}, name
        assert json.dumps(sorted(FunctionMailbox.objects.values_list("participant_id", "name"))) == before
        assert not Organisation.objects.get(participant_id=theirs.participant).goes_out_and_back


def test_a_rule_of_retention_counts_and_deletes_in_its_own_mailbox(sides):
    ours, theirs = sides
    held = retention.hold_counts(mailboxes.mailboxes_administered_by(ours.people["administrator"]))
    assert theirs.mailbox.pk not in held
