"""No page asks the database more often because there is more: each is asked with one row and with many."""

import uuid
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from addressbook.categories import refresh_categories
from addressbook.models import Category, FunctionAddress, OwnFunction, PersonalFunction
from addressbook.models import Organisation as BookOrganisation
from addressbook.search import refresh_search_columns
from mailbox.conversations import assignment
from mailbox.models import (
    Attachment,
    CaseDelivery,
    CaseSystem,
    CaseSystemMailbox,
    Conversation,
    Document,
    Draft,
    FunctionMailbox,
    Message,
    OrganisationRole,
)
from mailbox.registration import entries
from mailbox.search import index
from mailbox.workplace import inbox
from mailbox.workplace.capped_count import MOST, counted, in_figures
from mailbox.workplace.inbox import View
from tests.mailbox.build import a_member, log_in
from transport.message_service.models import Event, Organisation, OutgoingMessage

pytestmark = pytest.mark.django_db
HERE = "0203:habo.se"


@pytest.fixture
def karin(mailbox, client):
    person = a_member("Karin", mailbox)
    for role in OrganisationRole.Role:
        OrganisationRole.objects.create(person=person, participant_id=HERE, role=role)
    log_in(client, person)
    return person


def a_conversation(mailbox, number: int, person, **changes) -> Conversation:
    at = timezone.now() - timedelta(minutes=number)
    values = {
        "counterpart": "A, B",
        "last_activity_at": at,
        "last_arrived_at": at,
        "message_count": 1,
    } | changes
    talk = Conversation.objects.create(
        mailbox=mailbox, conversation_id=uuid.uuid4(), subject=f"Ämne {number}", **values
    )
    assignment.note_opened(talk, person)
    return talk


def a_message(talk: Conversation, number: int, person) -> None:
    is_sent = number % 2 == 1
    message = Message.objects.create(
        conversation=talk,
        direction="out" if is_sent else "in",
        message_id=uuid.uuid4(),
        is_confidential=True,
        counterpart_organisation="A",
        counterpart_function="B",
        counterpart_address="b",
        written_by=person if is_sent else None,
        at=timezone.now() - timedelta(minutes=number),
    )
    document = Document.objects.create(message=message, position=1, texts=["Hej"])
    Attachment.objects.create(
        document=document, name="a.pdf", content_type="application/pdf", size=1, sha256="0"
    )
    if is_sent:
        delivery = OutgoingMessage.objects.create(
            organisation=Organisation.objects.get(),
            message_id=message.message_id,
            conversation_id=talk.conversation_id,
            recipient="0203:af.se",
            state="ACCEPTED",
        )
        Event.objects.create(outgoing=delivery, name="ACCEPTED")


def a_case_delivery(talk: Conversation, number: int, person) -> None:
    """One in each state, to a case system of its own."""
    system = CaseSystem.objects.create(
        participant_id=HERE,
        name=f"Diariet {number}",
        kind="directory",
        folder=f"d{number}",
        is_confirmed=True,
        changed_by=person,
        changed_at=timezone.now(),
    )
    CaseSystemMailbox.objects.create(case_system=system, mailbox=talk.mailbox)
    for state in ("waiting", "delivered", "acknowledged", "failed"):
        CaseDelivery.objects.create(
            conversation=talk,
            case_system=system,
            ordered_by=person,
            ordered_at=timezone.now(),
            trigger="order",
            state=state,
            case_number="ARK 1",
            newest_message=number,
        )


def more_of_everything(mailbox, person, start: int, count: int) -> None:
    """Rows of all that lists show, in every state."""
    for number in range(start, start + count):
        shape = [
            {},
            {"assignee": person},
            {"is_waiting": True, "has_sent": True},
            {"state": "done", "has_sent": True},
            {"state": "trash"},
        ][number % 5]
        talk = a_conversation(mailbox, number, person, **shape)
        a_message(talk, number, person)
        if number % 5 < 2:
            entry = entries.Entry("case", case_number=f"KS 2026/{number}")
            entries.register(talk.pk, person, entry)
            a_message(talk, number + 1, person)
            minor = entries.Entry("minor", reason="Reklam", retention_basis="Beslut")
            entries.register(talk.pk, person, minor)
            a_case_delivery(talk, number, person)
        elif number % 5 == 2:
            Conversation.objects.filter(pk=talk.pk).update(registration_state="pending")
        Draft.objects.create(
            mailbox=mailbox, created_by=person, changed_by=person, subject=f"Utkast {number}"
        )
        asker = a_member(f"Skribent {number}", mailbox)
        for state, by in (("open", asker), ("returned", person)):
            draft = Draft.objects.create(mailbox=mailbox, created_by=by, changed_by=by, owner=by)
            draft.approval_requests.create(
                asked_by=by, asked_at=timezone.now(), state=state, writer_ids=[by.pk], reason="Nej"
            )
        observed = FunctionMailbox.objects.create(
            participant_id=HERE, address=f"y{number}", name="Observerad"
        )
        observed.memberships.create(person=person, role="observer")
        box = FunctionMailbox.objects.create(
            participant_id=HERE, address=f"x{number}", name=f"Brevlåda {number}"
        )
        box.memberships.create(person=person)
        a_member(f"Kollega {number}", box)
        organisation = BookOrganisation.objects.create(
            book_id=str(number), participant_id=f"0203:{number}.se", name=f"Kommun {number}"
        )
        for one in range(2):
            function = FunctionAddress.objects.create(
                book_id=f"{number}-{one}",
                organisation=organisation,
                identifier=f"f{number}-{one}",
                name=f"Mottagning {number}",
                categories=["Vård"],
            )
        PersonalFunction.objects.create(
            person=person, function=function, is_favourite=True, used_at=timezone.now()
        )
        OwnFunction.objects.create(participant_id=HERE, identifier=f"o{number}", name=f"Egen {number}")
        status = ("nya", "forfallna", "prioriterade")[number % 3]
        person.saved_views.create(name=f"Vy {number}", address=f"across=on&status={status}")
    refresh_search_columns(FunctionAddress.objects.all())
    refresh_categories()


PAGES = {
    "start": "/",
    **{f"mailbox {view}": f"/brevlada/{{mailbox}}/?vy={view}" for view in View},
    "mailbox filtered": "/brevlada/{mailbox}/?vy=klara&motpart=a&sekretess=on&bilagor=on&fran=2020-01-01",
    "across mailboxes": "/vyer/",
    "across mailboxes filtered": "/vyer/?view=klara&organisation=a&function=b&label_name=x&confidential=on",
    "across mailboxes by status": "/vyer/?view=skickat&status=forfallna",
    "address book": "/adressbok/",
    "address book search": "/adressbok/sok?q=mottagning",
    "address book category": "/adressbok/kategori/{category}/",
    "address book organisation": "/adressbok/organisation/{organisation}/",
    "approvals": "/godkanna/",
    "observed figures": "/siffror",
    "notices": "/aviseringar",
    "administration": "/administration/",
    "people": "/administration/personer",
    "functions": "/administration/funktioner/",
    "difference": "/administration/funktioner/skillnad",
    "retention": "/administration/gallring/",
    "case deliveries": "/brevlada/{mailbox}/overlamningar",
    "automatic answers": "/administration/bemanning/automatiska-svar/",
    "case systems": "/administration/arendesystem",
    "statistics": "/administration/statistik",
    "figures of departments": "/administration/avdelningsstatistik",
    "counterparts in figures": "/administration/avdelningsstatistik/motparter",
    "costs": "/administration/kostnader",
    "departments": "/administration/avdelningar",
    "price lists": "/administration/prislistor",
    "operations check": "/administration/drift/",
    "administration log": "/administration/logg",
    "access log": "/administration/atkomstlogg",
}


def asked(client, addresses: dict[str, str]) -> dict[str, int]:
    """How many queries each page makes, the second time: what is remembered from the first is remembered."""
    counts = {}
    for name, address in addresses.items():
        client.get(address)
        with CaptureQueriesContext(connection) as queries:
            assert client.get(address).status_code == 200, name
        counts[name] = len(queries)
    return counts


def addresses_of(mailbox) -> dict[str, str]:
    keys = {
        "mailbox": mailbox.pk,
        "category": Category.objects.get().pk,
        "organisation": BookOrganisation.objects.earliest("pk").pk,
    }
    return {name: address.format(**keys) for name, address in PAGES.items()}


def test_no_list_asks_more_often_because_it_is_longer(client, mailbox, karin):
    more_of_everything(mailbox, karin, 0, 5)
    few = asked(client, addresses_of(mailbox))
    more_of_everything(mailbox, karin, 5, 15)
    # Twice: now and then a request writes, for whatever page, that its session is still used.
    many, again = asked(client, addresses_of(mailbox)), asked(client, addresses_of(mailbox))
    longer = {name: min(many[name], again[name]) for name in few}
    assert {name: (few[name], longer[name]) for name in few if longer[name] > few[name]} == {}


def test_no_conversation_asks_more_often_because_it_is_longer(client, mailbox, karin):
    talk = a_conversation(mailbox, 0, karin)
    for number in range(2):
        a_message(talk, number, karin)
    entries.register(talk.pk, karin, entries.Entry("case", case_number="KS 2026/1"))
    address = f"/konversation/{talk.pk}/"
    few = asked(client, {"conversation": address})
    for number in range(2, 50):
        a_message(talk, number, karin)
        entries.register(talk.pk, karin, entries.Entry("case", case_number=f"KS 2026/{number}"))
    many = asked(client, {"conversation": address})
    assert many["conversation"] <= few["conversation"]
    # And what it shows does not grow without end either.
    assert client.get(address).content.decode().count("<article") <= 20


def test_searching_asks_as_often_for_one_hit_as_for_many(client, mailbox, karin):
    def found(count: int) -> int:
        for _ in range(count):
            talk = a_conversation(mailbox, 1, karin)
            a_message(talk, 0, karin)
            message = talk.messages.get()
            message.subject = "Vårdplanering"
            message.save()
            index.add(message)
        client.post("/sok", {"question": "vårdplanering"})
        with CaptureQueriesContext(connection) as queries:
            assert "Vårdplanering" in client.post("/sok", {"question": "vårdplanering"}).content.decode()
        return len(queries)

    assert found(1) >= found(10)


@pytest.mark.parametrize(("there", "told"), [(0, "0"), (3, "3"), (MOST, "999"), (MOST + 5, "999+")])
def test_counters_end_at_999(mailbox, karin, there, told):
    at = timezone.now()
    Conversation.objects.bulk_create(
        Conversation(mailbox=mailbox, conversation_id=uuid.uuid4(), counterpart="A", last_activity_at=at)
        for _ in range(there)
    )
    assert in_figures(inbox.counts(mailbox, karin)[View.INBOX]) == told


def test_a_counter_reads_no_more_rows_than_it_tells_of(mailbox):
    sql = str(FunctionMailbox.objects.annotate(n=counted(Conversation.objects.all())).values("n").query)
    assert f"LIMIT {MOST + 1}" in sql


def test_everybody_is_on_one_of_the_pages_of_people_once(client, mailbox, karin):
    for number in range(70):
        a_member(f"Person {number % 9}", mailbox)
    first = client.get("/administration/personer")
    rest = client.get(f"/administration/personer?after={first.context['after']}")
    seen = [row.person.pk for page in (first, rest) for row in page.context["people"]]
    assert len(seen) == len(set(seen)) == 71
    assert rest.context["after"] is None
