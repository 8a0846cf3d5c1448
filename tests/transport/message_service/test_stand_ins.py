"""Between two organisations: what is for a function that nobody serves is taken by another, or refused."""

import pytest
from django.utils import timezone

from addressbook.models import OwnFunction
from mailbox.administration import routing
from mailbox.models import FunctionMailbox
from mailbox.models import Message as MailboxMessage
from transport.message_service import orders
from transport.message_service.models import IncomingMessage, Organisation, OrganisationKey
from transport.message_service.states import OutgoingState
from transport.message_service.tracking import resend
from transport.message_service.tracking.deliveries import delivery_of

pytestmark = pytest.mark.xdist_group("federation-messages")


def sent_to(world, address: str):
    """What the sender comes to know, and who has taken it."""
    message_id = orders.order(world.message(recipient_function=address), actor="Karin")
    world.pump()
    delivered = MailboxMessage.objects.filter(message_id=message_id, direction="in").first()
    state = delivery_of(world.sender.participant.value, message_id).state
    cause = IncomingMessage.objects.get(message_id=message_id).events.first().cause
    return state, (delivered.conversation.mailbox, delivered.for_address) if delivered else None, cause


def a_mailbox(world, address: str, **fields) -> FunctionMailbox:
    participant = world.recipient.participant.value
    return FunctionMailbox.objects.create(participant_id=participant, address=address, name=address, **fields)


def test_an_unknown_function_is_refused_until_a_catch_all_is_chosen(world):
    assert sent_to(world, "sdk:okand")[:2] == (OutgoingState.REJECTED, None)
    catching = a_mailbox(world, "sdk:registrator")
    routing.set_catch_all(None, world.recipient.participant.value, catching)
    assert sent_to(world, "sdk:okand") == (OutgoingState.ACCEPTED, (catching, "sdk:okand"), "stands-in")
    function = world.recipient.mailbox.address
    assert sent_to(world, function) == (OutgoingState.ACCEPTED, (world.recipient.mailbox, ""), "")


def test_a_closed_function_s_successor_takes_it_before_the_catch_all(world):
    participant = world.recipient.participant.value
    catching, heir = a_mailbox(world, "sdk:registrator"), a_mailbox(world, "sdk:ny")
    a_mailbox(world, "sdk:gammal", is_open=False)
    routing.set_catch_all(None, participant, catching)
    successor = OwnFunction.objects.create(participant_id=participant, identifier="sdk:ny", name="Ny")
    OwnFunction.objects.create(
        participant_id=participant,
        identifier="sdk:gammal",
        name="Gammal",
        closed_at=timezone.now(),
        successor=successor,
    )
    assert sent_to(world, "sdk:gammal") == (OutgoingState.ACCEPTED, (heir, "sdk:gammal"), "stands-in")
    FunctionMailbox.objects.filter(pk=heir.pk).update(is_open=False)
    assert sent_to(world, "sdk:gammal")[1] == (catching, "sdk:gammal")
    FunctionMailbox.objects.filter(pk=catching.pk).update(is_open=False)
    assert sent_to(world, "sdk:gammal")[:2] == (OutgoingState.REJECTED, None)


def test_what_could_not_be_handed_over_inside_is_sent_again_by_hand(world):
    """Without a key of its own an organisation signs nothing; with one, the same message goes."""
    Organisation.objects.update(goes_out_and_back=False)
    keys = OrganisationKey.objects.filter(organisation=world.sender.organisation, purpose="signing")
    until = keys.get().valid_until
    keys.update(valid_until=timezone.now())
    message_id = orders.order(world.message(), actor="Karin")
    world.pump()
    sender = world.sender.participant.value
    assert delivery_of(sender, message_id).state is OutgoingState.MESSAGE_EXCHANGE_ERROR
    keys.update(valid_until=until)
    resend.send_again(sender, message_id, actor="Karin")
    world.pump()
    assert delivery_of(sender, message_id).state is OutgoingState.ACCEPTED
    assert MailboxMessage.objects.filter(message_id=message_id, direction="in").count() == 1
