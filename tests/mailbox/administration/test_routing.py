"""What is for a function that nobody serves is taken by another, or refused; never lost."""

import uuid

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, transaction
from django.urls import reverse
from django.utils import timezone

from addressbook.models import OwnFunction
from mailbox.administration import routing
from mailbox.archive.conversation_record import messages_of, record_of
from mailbox.conversations import history
from mailbox.delivery import client as built_in
from mailbox.delivery.inbound import deliver
from mailbox.models import AccessLogEntry, FunctionMailbox, Message, OrganisationRole
from tests.mailbox.build import a_member, log_in
from tests.mailbox.conftest import HERE
from tests.pages import in_one_line
from tests.transport.protocol.build import a_message
from transport.message_service.client_port import Delivered
from transport.message_service.models import Organisation
from transport.protocol.identifiers import ParticipantId

pytestmark = pytest.mark.django_db
THERE = "0203:annan.se"


@pytest.fixture
def administrator(client, mailbox):
    person = a_member("Eva")
    OrganisationRole.objects.create(person=person, participant_id=HERE)
    log_in(client, person)
    return person


def a_function(identifier: str, successor: OwnFunction | None = None, *, closed: bool = True) -> OwnFunction:
    closed_at = timezone.now() if closed else None
    values = {"participant_id": HERE, "identifier": identifier, "name": identifier}
    return OwnFunction.objects.create(**values, closed_at=closed_at, successor=successor)


def stood_in(mailbox: FunctionMailbox, address: str) -> Message:
    """A message for another address that the mailbox has taken."""
    message = a_message(recipient=ParticipantId(HERE), recipient_function=address)
    deliver([Delivered(HERE, message, "0203:af.se", timezone.now(), mailbox.address)])
    return Message.objects.get(message_id=message.header.message_id)


def test_nothing_stands_in_where_nothing_is_chosen(mailbox):
    assert routing.stand_ins(HERE, "sdk:okand") == []


def test_a_successor_comes_before_the_catch_all_and_through_those_that_are_closed_as_well(mailbox):
    newest = a_function("sdk:ny", closed=False)
    between = a_function("sdk:mellan", newest)
    a_function("sdk:gammal", between)
    routing.set_catch_all(None, HERE, mailbox)
    assert routing.stand_ins(HERE, "sdk:gammal") == ["sdk:mellan", "sdk:ny", "funktion-b"]
    assert routing.stand_ins(HERE, "sdk:okand") == ["funktion-b"]
    assert routing.stand_ins(THERE, "sdk:gammal") == []


def test_functions_that_succeed_each_other_come_to_an_end(mailbox):
    first = a_function("sdk:a")
    second = a_function("sdk:b", first)
    first.successor = second
    first.save()
    assert routing.stand_ins(HERE, "sdk:a") == ["sdk:b", "sdk:a"]


def test_a_successor_that_is_open_again_is_not_passed_by(mailbox):
    newest = a_function("sdk:ny", closed=False)
    reopened = a_function("sdk:mellan", newest, closed=False)
    a_function("sdk:gammal", reopened)
    assert routing.stand_ins(HERE, "sdk:gammal") == ["sdk:mellan"]


def test_a_closed_catch_all_is_not_served(mailbox):
    routing.set_catch_all(None, HERE, mailbox)
    FunctionMailbox.objects.update(is_open=False)
    client = built_in.BuiltInClient()
    assert not any(client.serves(HERE, one) for one in client.stand_ins(HERE, "sdk:okand"))


def test_the_message_says_which_address_it_was_for(mailbox, client):
    row = stood_in(mailbox, "sdk:stängd")
    assert (row.conversation.mailbox, row.for_address) == (mailbox, "sdk:stängd")
    assert "Kom hit i stället för till sdk:stängd, som är stängd eller inte finns" in [
        line for _, line in history.lines_of(history.events_of(row.conversation))
    ]
    log_in(client, a_member("Karin", mailbox))
    page = client.get(reverse("conversation", args=[row.conversation_id])).content.decode()
    assert 'Skickat till funktionsadressen <span class="code">sdk:stängd</span>' in page
    record = record_of(
        row.conversation, messages_of(row.conversation), {}, [], made_by="Karin", made_at=timezone.now()
    )
    assert record["messages"][0]["for_address"] == "sdk:stängd"


def test_a_message_for_the_mailbox_itself_says_nothing_of_it(mailbox):
    message = a_message(recipient=ParticipantId(HERE))
    deliver([Delivered(HERE, message, "0203:af.se", timezone.now())])
    row = Message.objects.get()
    assert row.for_address == ""
    assert not row.conversation.events.filter(what="stood-in").exists()


def test_there_is_one_catch_all_for_each_organisation(mailbox):
    beside = FunctionMailbox.objects.create(participant_id=HERE, address="b", name="B")
    routing.set_catch_all(None, HERE, mailbox)
    with pytest.raises(IntegrityError), transaction.atomic():
        FunctionMailbox.objects.filter(pk=beside.pk).update(is_catch_all=True)
    routing.set_catch_all(None, HERE, beside)
    assert routing.catch_all_of(HERE) == beside


@pytest.mark.parametrize("unfit", ["closed", "elsewhere"])
def test_a_catch_all_is_an_open_mailbox_of_the_organisation_s_own(mailbox, unfit):
    chosen = FunctionMailbox.objects.create(
        participant_id=HERE if unfit == "closed" else THERE, address="x", name="X", is_open=unfit != "closed"
    )
    with pytest.raises(routing.CatchAllUnfit):
        routing.set_catch_all(None, HERE, chosen)


def test_an_administrator_chooses_both_and_it_is_logged_once(mailbox, administrator, client):
    url = reverse("administration-routing")
    form = {"organisation": HERE, "catch_all": mailbox.pk, "way": "out-and-back"}
    for _ in range(2):
        assert client.post(url, form).status_code == 302
    assert routing.catch_all_of(HERE) == mailbox
    assert Organisation.objects.get().goes_out_and_back
    entries = AccessLogEntry.objects.order_by("number")
    assert [(entry.what, entry.actor) for entry in entries] == [
        ("catch-all-set", administrator),
        ("routing-changed", administrator),
    ]
    page = in_one_line(client.get(url).content.decode())
    assert f'<option value="{mailbox.pk}" selected>' in page
    client.post(url, {"organisation": HERE, "catch_all": "", "way": "inside"})
    assert routing.catch_all_of(HERE) is None
    assert not Organisation.objects.get().goes_out_and_back


@pytest.mark.parametrize("catch_all", ["x", "999999", "elsewhere"])
def test_a_mailbox_that_is_not_one_s_own_cannot_be_chosen(mailbox, administrator, client, catch_all):
    if catch_all == "elsewhere":
        catch_all = FunctionMailbox.objects.create(participant_id=THERE, address="x", name="X").pk
    form = {"organisation": HERE, "catch_all": catch_all, "way": "out-and-back"}
    response = client.post(reverse("administration-routing"), form)
    assert response.status_code == 422
    assert "Välj en öppen brevlåda" in response.content.decode()
    assert not FunctionMailbox.objects.filter(is_catch_all=True).exists()
    assert not Organisation.objects.get().goes_out_and_back


def test_another_organisation_s_routing_is_not_there(mailbox, administrator, client):
    Organisation.objects.create(participant_id=THERE, name="Annan")
    form = {"organisation": THERE, "catch_all": "", "way": "out-and-back"}
    assert client.post(reverse("administration-routing"), form).status_code == 404
    assert THERE not in client.get(reverse("administration-routing")).content.decode()


def test_the_command_sets_and_tells(mailbox, capsys):
    call_command("set_routing", HERE, way="out-and-back", catch_all="funktion-b")
    assert capsys.readouterr().out == "way: out-and-back\ncatch-all: funktion-b\n"
    call_command("set_routing", HERE)
    assert capsys.readouterr().out == "way: out-and-back\ncatch-all: funktion-b\n"
    call_command("set_routing", HERE, way="inside", no_catch_all=True)
    assert capsys.readouterr().out == "way: inside\ncatch-all: none, refused with a receipt\n"
    with pytest.raises(CommandError, match="no open mailbox"):
        call_command("set_routing", HERE, catch_all=str(uuid.uuid4()))
    with pytest.raises(CommandError, match="not added"):
        call_command("set_routing", THERE)
