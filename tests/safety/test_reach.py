"""Every URL of the project, asked for by every kind of person: who reaches what is the table below.

A URL that is not in the table fails the test, and so does one that is no more. `reaches` is anything that
is answered as to one who may; everybody else gets what does not exist (404), the login, or a refusal, and
nothing changes.
"""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO

import pytest
from django.db import transaction
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse
from django.utils import timezone

from addressbook.models import Category, FunctionAddress, OwnFunction
from addressbook.models import Organisation as BookOrganisation
from mailbox.attachments import uploads
from mailbox.conversations import notes, reassignment
from mailbox.delivery.inbound import deliver
from mailbox.drafts import composer, draft_files, recipients
from mailbox.drafts.approval_requests import acts
from mailbox.models import (
    ArrivalRule,
    Attachment,
    CannedText,
    CaseDelivery,
    CaseSystem,
    CaseSystemMailbox,
    Conversation,
    Department,
    DepartmentLeader,
    DepartmentMailbox,
    DistributionList,
    Draft,
    FunctionMailbox,
    Label,
    Mailing,
    Membership,
    MembershipRule,
    Message,
    OrganisationIdentity,
    OrganisationRole,
    Person,
    PriceList,
    Redirection,
)
from mailbox.protection.acts import set_named_members
from mailbox.registration import entries
from tests.mailbox.build import reviewed
from tests.mailbox.provisioning.build import a_directory
from tests.transport.protocol.build import a_message
from transport.message_api.models import ApiClient
from transport.message_service.client_port import Delivered
from transport.message_service.models import (
    CertificateRequest,
    IncomingMessage,
    Organisation,
    OrganisationKey,
    QuarantinedFile,
)
from transport.protocol.identifiers import ParticipantId
from transport.protocol.sdk_message.message import BytesContent, File
from transport.remote_message_service import registration
from transport.remote_message_service.models import RemoteArrival

pytestmark = pytest.mark.django_db
HABO, ELSEWHERE = "0203:habo.se", "0203:nagon-annan.se"

NOBODY = frozenset({"nobody"})
MEMBER = frozenset({"member", "manager"})
# Who writes works as members do, and sends nothing alone.
WORKERS = MEMBER | {"writer"}
# Who only reads sees what members see, and changes nothing.
READERS = WORKERS | {"reader"}
ADMINISTRATOR = frozenset({"administrator"})
# An administrator of another organisation has the pages, and finds only their own organisation there.
ADMINISTRATORS = frozenset({"administrator", "administrator elsewhere"})
# A manager is a member as well, and names members as an administrator does.
MANAGERS = ADMINISTRATOR | {"manager"}
# Who sees the figures of a department; a leader has those of their own, and no other page.
FIGURES = ADMINISTRATORS | {"leader"}
AUDITORS = frozenset({"auditor", "auditor elsewhere"})
LOGGED_IN = (
    ADMINISTRATORS
    | MANAGERS
    | AUDITORS
    | frozenset(
        {
            "leader",
            "observer",
            "reader",
            "writer",
            "member",
            "member of another mailbox",
            "member elsewhere",
            "member of nothing",
        }
    )
)
EVERYBODY = LOGGED_IN | NOBODY
ROLES = sorted(EVERYBODY)

# name of the URL: (methods that it has, who reaches it)
TABLE: dict[str, tuple[str, frozenset[str]]] = {
    "health": ("get", EVERYBODY),
    "ready": ("get", EVERYBODY),
    "metrics": ("get", EVERYBODY),
    "login": ("get", EVERYBODY),
    "help": ("get", EVERYBODY),
    "accessibility": ("get", EVERYBODY),
    "set_language": ("post", EVERYBODY),
    "start": ("get", LOGGED_IN),
    "mailbox": ("get post", READERS),
    "conversation": ("get", READERS),
    "act": ("post", WORKERS),
    "act-on-many": ("post", WORKERS),
    # Everybody has a list across their own mailboxes, which may be none.
    "all-mailboxes": ("get post", LOGGED_IN),
    "act-on-many-across": ("post", LOGGED_IN),
    "saved-view-save": ("post", LOGGED_IN),
    "saved-view": ("post", frozenset({"member"})),
    "seen": ("post", READERS),
    "undo": ("post", WORKERS),
    "reassign": ("get post", WORKERS),
    # What is offered to a mailbox its members answer, and nobody who sees the conversation.
    "reassignment-answer": ("post", frozenset({"member of another mailbox"})),
    "note": ("get post", WORKERS),
    "note-remove": ("post", frozenset({"member"})),
    "label": ("post", WORKERS),
    "labels": ("get post", WORKERS),
    "label-change": ("post", WORKERS),
    "label-remove": ("post", frozenset({"manager"})),
    "presence": ("get", READERS),
    # Those who manage the mailbox as its members: rules look at messages.
    "arrival-rules": ("get post", frozenset({"manager"})),
    "arrival-rule-new": ("get post", frozenset({"manager"})),
    "arrival-rule": ("get post", frozenset({"manager"})),
    "attachment": ("get", READERS),
    "attachment-show": ("get", READERS),
    "attachments": ("get", READERS),
    "message-text": ("get", READERS),
    "evidence": ("get", READERS),
    "evidence-piece": ("get", READERS),
    "record-bundle": ("post", READERS),
    "protection": ("get post", WORKERS),
    # A manager who is not named in it; whoever is finds nothing there to open.
    "protected-open": ("get post", frozenset({"manager"})),
    "register": ("get post", WORKERS),
    "registration-correct": ("get post", WORKERS),
    "registration-withdraw": ("get post", WORKERS),
    "registration-mailbox": ("get post", MANAGERS),
    "case-delivery-order": ("get post", WORKERS),
    "case-deliveries": ("get", READERS),
    "case-delivery-retry": ("post", WORKERS),
    "case-delivery-withdraw": ("post", WORKERS),
    # What leaves by itself is said by those who read it.
    "case-systems-mailbox": ("get post", frozenset({"manager"})),
    "administration-case-systems": ("get post", ADMINISTRATORS),
    "administration-case-system": ("get post", ADMINISTRATOR),
    "administration-case-system-secrets": ("post", ADMINISTRATOR),
    "administration-case-system-host-key": ("post", ADMINISTRATOR),
    "administration-case-system-try": ("post", ADMINISTRATOR),
    "administration-case-system-confirm": ("post", ADMINISTRATOR),
    "administration-case-system-enabled": ("post", ADMINISTRATOR),
    "write": ("post", WORKERS),
    # To a function of the address book, from a mailbox of their own.
    "write-to": ("post", WORKERS | {"member of another mailbox", "member elsewhere"}),
    "take-over-draft": ("post", WORKERS),
    "write-own": ("post", WORKERS),
    "leave-draft": ("post", WORKERS),
    "conversation-drafts": ("get", READERS),
    "draft-state": ("get", READERS),
    "restore-draft": ("post", WORKERS),
    "answer": ("post", WORKERS),
    "send-again": ("post", MEMBER),
    "cancel": ("post", WORKERS),
    "forward": ("post", WORKERS),
    "draft": ("get post", WORKERS),
    "check": ("get post", WORKERS),
    "undo-sending": ("post", WORKERS),
    "writing": ("get post", WORKERS),
    "mailings": ("get", READERS),
    "mailing": ("get", READERS),
    "canned-text": ("get post", WORKERS),
    "distribution-list": ("get post", WORKERS),
    "upload": ("post", WORKERS),
    "preview": ("post", WORKERS),
    "approvals": ("get", LOGGED_IN),
    "approval-ask": ("post", WORKERS),
    # Of what a writer has asked for: those who send, and have not written in it.
    "approval": ("get post", WORKERS),
    "approval-return": ("post", WORKERS),
    "approval-withdraw": ("post", frozenset({"writer"})),
    "approval-mailbox": ("get post", MANAGERS),
    "draft-file": ("get", WORKERS),
    "observed-figures": ("get", frozenset({"observer"})),
    "notices": ("get post", LOGGED_IN),
    "notices-now": ("get", LOGGED_IN),
    "notices-subscribe": ("post", LOGGED_IN),
    "notices-unsubscribe": ("post", LOGGED_IN),
    "notices-worker": ("get", EVERYBODY),
    "search": ("get post", LOGGED_IN),
    "addressbook:browse": ("get", LOGGED_IN),
    "addressbook:category": ("get", LOGGED_IN),
    "addressbook:organisation": ("get", LOGGED_IN),
    "addressbook:favourite": ("post", LOGGED_IN),
    "addressbook:search": ("get", LOGGED_IN),
    "administration": ("get", ADMINISTRATORS | MANAGERS | AUDITORS),
    "administration-mailbox": ("get post", MANAGERS),
    "administration-members-from-file": ("get post", MANAGERS),
    "administration-open": ("get post", ADMINISTRATOR),
    "administration-directory": ("get post", ADMINISTRATORS),
    "administration-directory-token": ("post", ADMINISTRATOR),
    "administration-directory-group": ("get post", ADMINISTRATOR),
    "administration-directory-mapping": ("post", ADMINISTRATOR),
    "administration-limit": ("post", MANAGERS),
    "administration-staffed-hours": ("get", ADMINISTRATORS | MANAGERS),
    "administration-mailbox-hours": ("get post", MANAGERS),
    "administration-default-hours": ("get post", ADMINISTRATOR),
    "administration-automatic-answers": ("get post", ADMINISTRATORS),
    "administration-automatic-answer": ("get post", MANAGERS),
    "administration-make-rule": ("post", ADMINISTRATOR),
    "administration-confirm-rule": ("post", ADMINISTRATOR),
    "administration-remove-rule": ("post", ADMINISTRATOR),
    "administration-remove-member": ("post", MANAGERS),
    "administration-people": ("get", ADMINISTRATORS),
    "administration-person": ("get post", ADMINISTRATOR),
    "administration-lock": ("get post", ADMINISTRATOR),
    "administration-remove-person": ("get post", ADMINISTRATOR),
    "administration-identity": ("get", ADMINISTRATORS),
    "organisation-logo": ("get", EVERYBODY),
    "administration-give-role": ("post", ADMINISTRATOR),
    "administration-take-role": ("post", ADMINISTRATOR),
    "administration-functions": ("get post", ADMINISTRATORS),
    "administration-functions-file": ("get", ADMINISTRATORS),
    "administration-functions-import": ("post", ADMINISTRATORS),
    "administration-functions-difference": ("get", ADMINISTRATORS),
    "administration-function": ("get post", ADMINISTRATOR),
    "administration-function-close": ("post", ADMINISTRATOR),
    "administration-routing": ("get", ADMINISTRATORS),
    "administration-redirection": ("post", ADMINISTRATOR),
    "administration-retention": ("get", ADMINISTRATORS),
    "administration-retention-file": ("get", ADMINISTRATORS),
    "administration-retention-rule": ("get post", ADMINISTRATOR),
    "printed": ("post", READERS),
    "retention-hold": ("post", WORKERS),
    "administration-statistics": ("get", ADMINISTRATORS | MANAGERS),
    "administration-statistics-file": ("get", ADMINISTRATORS | MANAGERS),
    "department-figures": ("get", FIGURES),
    "department-figures-file": ("get", FIGURES),
    "department-counterparts": ("get", FIGURES),
    "department-counterparts-file": ("get", FIGURES),
    # Without a unit there is nothing to choose; which ones are whose is in tests/mailbox/statistics.
    "monthly-figures": ("post", frozenset()),
    "department-costs": ("get", FIGURES),
    "department-costs-file": ("get", FIGURES),
    "price-lists": ("get post", ADMINISTRATORS),
    "price-list": ("post", ADMINISTRATOR),
    "departments": ("get post", ADMINISTRATORS),
    "department": ("get post", ADMINISTRATOR),
    "department-remove": ("post", ADMINISTRATOR),
    "department-restore": ("post", ADMINISTRATOR),
    "department-mailboxes": ("post", ADMINISTRATOR),
    "department-leader-add": ("post", ADMINISTRATOR),
    "department-leader": ("post", ADMINISTRATOR),
    "administration-certificates": ("get", ADMINISTRATORS),
    "administration-certificate-begin": ("post", ADMINISTRATORS),
    "administration-certificate-import": ("post", ADMINISTRATORS),
    "administration-certificate-request": ("get", ADMINISTRATOR),
    "administration-service-status": ("get", ADMINISTRATORS),
    "administration-doctor": ("get", ADMINISTRATORS),
    "administration-doctor-begin": ("post", ADMINISTRATORS),
    "administration-quarantine": ("get", ADMINISTRATORS),
    "administration-quarantine-remove": ("post", ADMINISTRATOR),
    "administration-counterparts": ("get", ADMINISTRATORS),
    "administration-counterparts-decide": ("post", ADMINISTRATOR),
    "administration-clients": ("get post", ADMINISTRATORS),
    "administration-client-routes": ("get post", ADMINISTRATORS),
    "administration-client": ("get post", ADMINISTRATOR),
    "administration-client-key": ("post", ADMINISTRATOR),
    "administration-client-key-remove": ("post", ADMINISTRATOR),
    "administration-client-proposal": ("post", ADMINISTRATOR),
    "administration-client-active": ("post", ADMINISTRATOR),
    "administration-client-webhook": ("post", ADMINISTRATOR),
    "administration-message-services": ("get post", ADMINISTRATORS),
    "administration-message-service": ("get post", ADMINISTRATOR),
    "administration-message-service-functions": ("post", ADMINISTRATOR),
    "administration-message-service-active": ("post", ADMINISTRATOR),
    "administration-message-service-try": ("post", ADMINISTRATOR),
    "administration-message-service-key": ("post", ADMINISTRATOR),
    "administration-message-service-retry": ("post", ADMINISTRATOR),
    "administration-log": ("get", ADMINISTRATORS),
    "administration-access-log": ("get", AUDITORS),
    "administration-access-log-file": ("post", AUDITORS),
    "transfer-log": ("get post", ADMINISTRATORS | AUDITORS),
    "message-api-messages": ("get post", frozenset()),
    "message-api-message": ("get delete", frozenset()),
    "message-api-token": ("post", frozenset()),
    "case-delivery-api": ("get", frozenset()),
    "case-delivery-api-description": ("get", frozenset()),
    "case-delivery-api-package": ("get", frozenset()),
    "case-delivery-api-receipt": ("post", frozenset()),
    "scim": ("get", frozenset()),
    "scim-users": ("get post", frozenset()),
    "scim-user": ("get put patch delete", frozenset()),
    "scim-groups": ("get post", frozenset()),
    "scim-group": ("get put patch delete", frozenset()),
    "scim-configuration": ("get", frozenset()),
    "scim-resource-types": ("get", frozenset()),
    "scim-resource-type": ("get", frozenset()),
    "scim-schemas": ("get", frozenset()),
    "scim-schema": ("get", frozenset()),
    "scim-nothing": ("get post put patch delete", frozenset()),
    "message-api-openapi": ("get", EVERYBODY),
    "message-api-reading": ("get", EVERYBODY),
}
# Who reaches it by GET, where that is not who may POST.
BY_GET = {"draft": READERS}
# Message clients, case systems and directory services are known by tokens: a person's session is nothing
# there, so that nobody reaches them above, and another site's form has nothing to use.
KNOWN_BY_TOKEN = {
    "message-api-messages",
    "message-api-message",
    "message-api-token",
    "case-delivery-api",
    "case-delivery-api-description",
    "case-delivery-api-package",
    "case-delivery-api-receipt",
    *(name for name in TABLE if name == "scim" or name.startswith("scim-")),
}
# Judged elsewhere: by the e-ID's flow (tests/people), and by a stream that does not end (tests/mailbox).
ELSEWHERE_TESTED = {
    "login-begin",
    "login-refused",
    "login-ended",
    "logout",
    "events",
    "oidc_authentication_init",
    "oidc_authentication_callback",
    "oidc_logout",
    # tests/mailbox/accounts/saml
    "saml-begin",
    "saml-answer",
    "saml-complete",
    "saml-assignment",
    "saml-metadata",
}


@dataclass
class World:
    """What there is to reach, all of it in one mailbox of Håbo's, and one person of each kind."""

    people: dict[str, Person]
    arguments: dict[str, object]


@pytest.fixture
def world(settings, tmp_path) -> World:
    settings.MEDIA_ROOT = tmp_path
    return a_world()


def a_world() -> World:
    Organisation.objects.create(participant_id=HABO, name="Håbo kommun")
    Organisation.objects.create(participant_id=ELSEWHERE, name="Någon annan")
    mailbox = FunctionMailbox.objects.create(participant_id=HABO, address="funktion-b", name="Mottagning")
    beside = FunctionMailbox.objects.create(participant_id=HABO, address="b", name="Ekonomi")
    elsewhere = FunctionMailbox.objects.create(participant_id=ELSEWHERE, address="a", name="Deras")
    people = {role: Person.add(uuid.uuid4().hex, role)[0] for role in ROLES if role != "nobody"}
    membership = Membership.objects.create(person=people["member"], mailbox=mailbox)
    for role in ("observer", "reader", "writer"):
        Membership.objects.create(person=people[role], mailbox=mailbox, role=role)
    Membership.objects.create(person=people["member of another mailbox"], mailbox=beside)
    Membership.objects.create(person=people["member elsewhere"], mailbox=elsewhere)
    OrganisationRole.objects.create(person=people["administrator"], participant_id=HABO)
    OrganisationRole.objects.create(person=people["administrator elsewhere"], participant_id=ELSEWHERE)
    Membership.objects.create(person=people["manager"], mailbox=mailbox, role=Membership.Role.MANAGER)
    auditing = OrganisationRole.Role.AUDITOR
    held = OrganisationRole.objects.create(person=people["auditor"], participant_id=HABO, role=auditing)
    OrganisationRole.objects.create(
        person=people["auditor elsewhere"], participant_id=ELSEWHERE, role=auditing
    )
    rule = MembershipRule.objects.create(mailbox=mailbox, claim="groups", value="a")
    message = a_message(
        recipient=ParticipantId(HABO), files=(File("a.pdf", "application/pdf", BytesContent(b"%PDF-1")),)
    )
    deliver([Delivered(HABO, message, "0203:af.se", timezone.now())])
    row = Message.objects.get()
    offer = reassignment.offer(
        row.conversation_id, people["manager"], to=beside, done="Ringt", remains="Svara"
    )
    note, _ = notes.write(row.conversation_id, people["member"], "En anteckning")
    sent = Mailing.objects.create(mailbox=mailbox, at=timezone.now())
    Message.objects.update(mailing=sent)
    return World(
        people,
        {
            "mailbox_id": mailbox.pk,
            "conversation_id": row.conversation_id,
            "message_id": row.pk,
            "reassignment_id": offer.pk,
            "note_id": note.pk,
            "arrival_rule_id": ArrivalRule.objects.create(mailbox=mailbox, position=1, name="Regel").pk,
            "label_id": Label.objects.create(mailbox=mailbox, name="Brådskande").pk,
            "attachment_id": Attachment.objects.get().pk,
            "draft_id": (draft := a_draft(mailbox, people["member"])).pk,
            "asked_draft_id": (asked := a_draft_to_approve(mailbox, people["writer"])).pk,
            "draft_file_id": asked.attachments.get().pk,
            "version_id": draft.versions.create(
                content={"text": "Hej"}, written_by=people["member"], written_at=timezone.now()
            ).pk,
            "membership_id": membership.pk,
            "person_id": people["member"].pk,
            "role_id": held.pk,
            "state": "handled",
            "kind": "envelope",
            "function_id": function_id(),
            "organisation_id": BookOrganisation.objects.get().pk,
            "own_organisation_id": Organisation.objects.get(participant_id=HABO).pk,
            "category_id": Category.objects.create(name="Vård", function_count=0).pk,
            "rule_id": rule.pk,
            "redirection_id": a_redirection(mailbox, people["manager"]).pk,
            "mailing_id": sent.pk,
            "text_id": CannedText.objects.create(mailbox=mailbox, name="Kallelse", text="Hej").pk,
            "list_id": DistributionList.objects.create(mailbox=mailbox, name="Alla").pk,
            "api_client_id": an_api_client().pk,
            "request_id": a_certificate_request().pk,
            "file_id": a_quarantined_file().pk,
            "arrival_id": an_arrival_set_aside().pk,
            "identity_id": an_identity_with_a_logo().pk,
            "registration_id": entries.register(
                row.conversation_id, people["member"], entries.Entry("case", case_number="KS 2026/1")
            ).pk,
            **a_remote_service(Organisation.objects.get(participant_id=HABO)),
            "case_system_id": (system := a_case_system(mailbox)).pk,
            "sftp_system_id": an_sftp_system(mailbox).pk,
            "delivery_id": a_failed_delivery(row.conversation, system).pk,
            "protected_id": a_protected_conversation(mailbox, people["member"]),
            **a_directory(mailbox, people["manager"]),
            **a_department_with_a_leader(mailbox, people["leader"]),
            "view_id": people["member"].saved_views.create(name="Vy", address="across=on").pk,
        },
    )


def a_remote_service(organisation: Organisation, name: str = "Leverantören") -> dict[str, object]:
    """Another message service that the organisation uses, and a message of it that was set aside."""
    service = registration.register(
        organisation,
        name,
        address="https://127.0.0.1:9/v1",
        token_address="https://127.0.0.1:9/v1/token",
        client_id="brevlada",
    )
    arrival = RemoteArrival.objects.create(
        service=service,
        resource_id=uuid.uuid4(),
        message_id=uuid.uuid4(),
        state=RemoteArrival.State.SET_ASIDE,
        problem="content-invalid",
    )
    return {"remote_service_id": service.pk, "remote_arrival_id": arrival.pk}


def a_case_system(mailbox: FunctionMailbox, name: str = "Diariet") -> CaseSystem:
    """One that the mailbox may use."""
    system = CaseSystem.objects.create(
        participant_id=mailbox.participant_id,
        name=name,
        kind=CaseSystem.Kind.WEBHOOK,
        is_confirmed=True,
        changed_at=timezone.now(),
    )
    CaseSystemMailbox.objects.create(case_system=system, mailbox=mailbox)
    return system


def an_sftp_system(mailbox: FunctionMailbox) -> CaseSystem:
    """One whose server is not known yet."""
    return CaseSystem.objects.create(
        participant_id=mailbox.participant_id,
        name="Servern",
        kind=CaseSystem.Kind.SFTP,
        sftp_address="sftp://sdk@localhost:1/",
        changed_at=timezone.now(),
    )


def a_failed_delivery(conversation: Conversation, system: CaseSystem) -> CaseDelivery:
    return CaseDelivery.objects.create(
        conversation=conversation,
        case_system=system,
        ordered_at=timezone.now(),
        trigger=CaseDelivery.Trigger.ORDER,
        state=CaseDelivery.State.FAILED,
        cause=CaseDelivery.Cause.NO_ANSWER,
    )


def a_department_with_a_leader(mailbox: FunctionMailbox, leader: Person) -> dict[str, object]:
    """A department with the mailbox, who sees its figures, a removed one, and a price list."""
    participant_id = mailbox.participant_id
    department = Department.objects.create(participant_id=participant_id, name="Socialförvaltningen")
    DepartmentMailbox.objects.create(department=department, mailbox=mailbox)
    removed = Department.objects.create(
        participant_id=participant_id, name="Borttagen", removed_at=timezone.now()
    )
    prices = PriceList.objects.create(participant_id=participant_id, begins_on=timezone.localdate())
    return {
        "department_id": department.pk,
        "removed_department_id": removed.pk,
        "leader_id": DepartmentLeader.objects.create(department=department, person=leader).pk,
        "price_list_id": prices.pk,
    }


def a_draft(mailbox: FunctionMailbox, person: Person) -> Draft:
    """A draft that somebody has saved: an untouched one is seen by its owner alone."""
    draft = composer.begin(mailbox, person)
    composer.keep(draft)
    return draft


def a_draft_to_approve(mailbox: FunctionMailbox, writer: Person) -> Draft:
    """A draft with a file, which its writer has asked others to approve."""
    draft = a_draft(mailbox, writer)
    beside = FunctionMailbox.objects.exclude(pk=mailbox.pk).get(participant_id=mailbox.participant_id)
    recipients.choose_own_mailbox(draft.pk, draft.version, beside, writer)
    draft.refresh_from_db()
    draft = composer.save(
        draft.pk, draft.version, composer.Content({"subject": "Svar", "text": "Hej"}), writer
    )
    stored = uploads.store(BytesIO(b"Hej"), "a.txt", "text/plain", "drafts", mailbox.participant_id)
    draft_files.keep_file(draft, stored, writer)
    acts.ask(draft.pk, reviewed(draft), writer)
    return draft


def a_protected_conversation(mailbox: FunctionMailbox, person: Person) -> int:
    """The key of a conversation that the person alone sees."""
    message = a_message(recipient=ParticipantId(mailbox.participant_id))
    deliver([Delivered(mailbox.participant_id, message, "0203:af.se", timezone.now())])
    key = Message.objects.get(message_id=message.header.message_id).conversation_id
    set_named_members(key, person, [])
    return key


def function_id() -> int:
    """One key for a function in the address book, and for one in the organisation's own register."""
    own = OwnFunction.objects.create(participant_id=HABO, identifier="x", name="X")
    organisation = BookOrganisation.objects.create(book_id="1", participant_id=HABO, name="Håbo")
    FunctionAddress.objects.create(
        pk=own.pk, book_id="1", organisation=organisation, identifier="x", name="X"
    )
    return own.pk


def a_redirection(mailbox: FunctionMailbox, person: Person) -> Redirection:
    """A change of where messages go, which waits for a second administrator."""
    return Redirection.objects.create(
        participant_id=mailbox.participant_id,
        kind=Redirection.Kind.CATCH_ALL,
        target=mailbox,
        value={"mailbox": mailbox.pk},
        by=person,
    )


def a_certificate_request() -> CertificateRequest:
    """What waits for its certificate; its key is not used here."""
    return CertificateRequest.objects.create(
        organisation=Organisation.objects.get(participant_id=HABO),
        purpose=OrganisationKey.Purpose.SIGNING,
        request="a request",
        private_key="a key",
    )


def an_api_client() -> ApiClient:
    organisation = Organisation.objects.get(participant_id=HABO)
    return ApiClient.objects.create(organisation=organisation, client_id="journal.habo.se")


def an_identity_with_a_logo() -> OrganisationIdentity:
    return OrganisationIdentity.objects.create(
        participant_id=HABO, name="Håbo", logo=b"\x89PNG", logo_type="image/png", logo_digest="x"
    )


def an_arrival_set_aside() -> IncomingMessage:
    return IncomingMessage.objects.create(
        transfer_id=uuid.uuid4(),
        organisation=Organisation.objects.get(participant_id=HABO),
        sender="0203:af.se",
        state="ERROR",
        arrived_at=timezone.now(),
    )


def a_quarantined_file() -> QuarantinedFile:
    organisation = Organisation.objects.get(participant_id=HABO)
    return QuarantinedFile.objects.create(organisation=organisation, direction="draft", signature="X", size=1)


def patterns(resolver: URLResolver, prefix: str = "") -> Iterator[tuple[str, URLPattern]]:
    for pattern in resolver.url_patterns:
        if isinstance(pattern, URLResolver):
            namespace = f"{pattern.namespace}:" if pattern.namespace else ""
            yield from patterns(pattern, prefix + namespace)
        else:
            yield f"{prefix}{pattern.name}", pattern


def test_the_table_has_every_url_and_no_other():
    found = {name for name, _ in patterns(get_resolver("sdkportal.urls"))}
    assert found == set(TABLE) | ELSEWHERE_TESTED


@pytest.mark.parametrize("role", ROLES)
def test_who_reaches_what(world, role):
    wrong = []
    client = Client(raise_request_exception=True)
    if role != "nobody":
        client.force_login(world.people[role], backend="mailbox.accounts.login.EidBackend")
    for name, pattern in patterns(get_resolver("sdkportal.urls")):
        if name in ELSEWHERE_TESTED:
            continue
        methods, reached_by = TABLE[name]
        arguments = {key: world.arguments[key] for key in pattern.pattern.converters}
        for method in methods.split():
            with transaction.atomic():
                response = getattr(client, method)(reverse(name, kwargs=arguments))
                transaction.set_rollback(True)
            expected = BY_GET.get(name, reached_by) if method == "get" else reached_by
            is_reached = response.status_code in {200, 204, 302, 409, 422} and not is_login(response)
            if is_reached != (role in expected):
                wrong.append((name, method, response.status_code))
    assert wrong == []


def is_login(response) -> bool:
    return response.status_code == 302 and response.headers["Location"].startswith(reverse("login"))


def test_a_form_of_another_site_changes_nothing(world):
    """Every URL that takes a POST asks for the CSRF token."""
    client = Client(enforce_csrf_checks=True)
    person = world.people["member"]
    OrganisationRole.objects.create(person=person, participant_id=HABO)
    client.force_login(person, backend="mailbox.accounts.login.EidBackend")
    posting = [
        name
        for name, (methods, _) in TABLE.items()
        if "post" in methods.split() and name not in KNOWN_BY_TOKEN
    ]
    assert posting
    converters = {name: pattern.pattern.converters for name, pattern in patterns(get_resolver())}
    for name in posting:
        url = reverse(name, kwargs={key: world.arguments[key] for key in converters[name]})
        assert client.post(url).status_code == 403, name
