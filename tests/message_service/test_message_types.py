"""A message type is registered with its rules; nothing else has to know of it."""

import pytest

from tests.access_point.build import Peer
from tests.message_service.test_unproven_senders import arrived_from
from tests.world import World
from transport.message_service import message_types, receiving
from transport.message_service.judging import Dropped
from transport.message_service.message_types import MessageType
from transport.protocol.identifiers import MESSAGE_RECEIPT, SDK_MESSAGE, DocumentType

pytestmark = pytest.mark.xdist_group("federation")
NEW = DocumentType("urn:ny::typ##1")


def test_a_new_type_is_served_and_judged_by_its_own_rules(world: World, tmp_path, monkeypatch):
    monkeypatch.setattr(message_types, "_known", dict(message_types._known))
    recipient = world.recipient.participant
    assert not receiving.is_served(recipient, NEW)
    seen = []

    def judge(verified, findings, row, directory):
        seen.append((verified.envelope.document_type, findings, row.sender))
        return Dropped("by-new-rules")

    message_types.register(
        MessageType("new", NEW, "Q{urn:ny}typ", judge, is_answered=True, is_encrypted=True)
    )
    assert receiving.is_served(recipient, NEW)
    peer = Peer(world, tmp_path)
    world.federation.change_participant(world.sender.participant.value, access_point=peer.name)
    _, envelope = world.sealed(world.message(), document_type=NEW)
    row = arrived_from(peer, envelope, action=NEW.action)
    assert row.cause == "by-new-rules"
    assert seen == [(NEW, [], world.sender.participant.value)]


def test_the_types_of_today_are_registered_by_kind():
    assert message_types.of_kind("message").document_type == SDK_MESSAGE
    assert message_types.of_kind("receipt").document_type == MESSAGE_RECEIPT
    assert message_types.known(NEW) is None
