"""A message type is registered with its rules; nothing else has to know of it."""

import pytest

from tests.transport.access_point.build import Peer
from tests.world import World
from transport.message_service import inbound
from transport.message_service.message_types import registry
from transport.message_service.message_types.registry import MessageType
from transport.message_service.message_types.verdicts import Discard
from transport.protocol.identifiers import MESSAGE_RECEIPT, SDK_MESSAGE, DocumentType

from .test_unproven_senders import arrived_from

pytestmark = pytest.mark.xdist_group("federation-messages")
NEW = DocumentType("urn:ny::typ##1")


def test_a_new_type_is_served_and_validated_by_its_own_rules(world: World, tmp_path, monkeypatch):
    recipient = world.recipient.participant
    assert not inbound.is_served(recipient, NEW)
    seen = []

    def validate(verified, findings, row, directory):
        seen.append((verified.envelope.document_type, findings, row.sender))
        return Discard("by-new-rules")

    new = MessageType("new", NEW, "Q{urn:ny}typ", validate, is_answered=True, is_encrypted=True)
    types = {**registry.known_types(), NEW: new}
    monkeypatch.setattr(registry, "known_types", lambda: types)
    assert inbound.is_served(recipient, NEW)
    peer = Peer(world, tmp_path)
    world.federation.change_participant(world.sender.participant.value, access_point=peer.name)
    _, envelope = world.sealed(world.message(), document_type=NEW)
    row = arrived_from(peer, envelope, action=NEW.action)
    assert row.cause == "by-new-rules"
    assert seen == [(NEW, [], world.sender.participant.value)]


def test_the_types_of_today_are_registered_by_kind():
    assert registry.of_kind("message").document_type == SDK_MESSAGE
    assert registry.of_kind("receipt").document_type == MESSAGE_RECEIPT
    assert registry.of_document_type(NEW) is None
