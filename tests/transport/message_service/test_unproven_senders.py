"""Nobody is answered whose sender is not proven: a receipt for a message of theirs would settle it."""

import pytest

from tests.transport.access_point.build import Peer
from tests.world import World
from transport.message_service import inbound
from transport.message_service.models import IncomingMessage, OutgoingMessage

pytestmark = pytest.mark.xdist_group("federation-messages")
DIGEST = b"<ds:DigestValue>"


def arrived_from(peer: Peer, envelope: bytes, **header) -> IncomingMessage:
    """What came of an envelope that another member's access point sent."""
    before = set(IncomingMessage.objects.values_list("pk", flat=True))
    message, packed = peer.pack(envelope, **header)
    with packed:
        peer.answer(packed, message)
    row = IncomingMessage.objects.exclude(pk__in=before).get()
    inbound.process(row.pk)
    row.refresh_from_db()
    return row


def broken(envelope: bytes) -> bytes:
    return envelope.replace(DIGEST, DIGEST + b"AAAA", 1)


def unsigned(envelope: bytes) -> bytes:
    before, _, rest = envelope.partition(b"<ds:Signature")
    return before + rest.partition(b"</ds:Signature>")[2]


@pytest.mark.parametrize("change", [unsigned, broken, bytes], ids=["unsigned", "broken", "captured whole"])
def test_what_another_member_s_access_point_sends_by_the_id_of_a_message_draws_no_answer(
    world: World, tmp_path, change
):
    _, envelope = world.sealed(world.message())
    row = arrived_from(Peer(world, tmp_path), change(envelope))
    assert (row.state, row.cause, row.is_accepted) == ("MESSAGE_EXCHANGE_ERROR", "access-point", False)
    assert not OutgoingMessage.objects.filter(kind="receipt").exists()
    world.transfer(envelope)
    of_recipient = IncomingMessage.objects.filter(organisation=world.recipient.organisation)
    assert of_recipient.exclude(pk=row.pk).get().is_accepted


def test_the_answer_to_one_s_own_envelope_cannot_be_sent_to_another_member(world: World, tmp_path):
    """The envelope is the attacker's and holds; its AS4 header names whom the answer is to go to."""
    peer = Peer(world, tmp_path)
    attacker = world.party("angripare", is_here=False)
    world.federation.change_participant(attacker.participant.value, access_point=peer.name)
    _, envelope = world.sealed(world.message(sender=attacker.participant), sender=attacker)
    row = arrived_from(peer, envelope, original_sender=world.sender.participant)
    assert (row.cause, row.is_accepted) == ("access-point", False)
    assert not OutgoingMessage.objects.filter(kind="receipt").exists()


def test_an_unsigned_envelope_in_another_s_name_than_its_header_s_draws_no_answer(world: World):
    other = world.party("annan")
    _, envelope = world.sealed(world.message(), header_sender=other.participant)
    world.transfer(unsigned(envelope))
    assert not OutgoingMessage.objects.filter(kind="receipt").exists()
