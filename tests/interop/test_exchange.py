"""Messages with phase4, both ways: what arrives is what was sent, and its receipt is believed."""

import os

import pytest

from tests.interop.build import Neighbours
from transport.access_point.models import TransferEvent

pytestmark = pytest.mark.xdist_group("interop")


def test_phase4_s_message_is_taken_and_phase4_believes_the_receipt(neighbours: Neighbours):
    content = os.urandom(2000)
    sent = neighbours.from_phase4(neighbours.payload(content))
    assert sent.is_delivered, sent
    transfer, envelope = neighbours.arrived()
    assert envelope == content
    assert transfer.as4_message_id == sent.message_id


def test_phase4_takes_our_message_and_its_receipt_is_our_evidence(neighbours: Neighbours):
    content = os.urandom(2000)
    transfer = neighbours.send(neighbours.transfer(content))
    assert (transfer.state, transfer.cause) == ("DELIVERED", ""), TransferEvent.objects.latest("pk").cause
    (message,), refusals = neighbours.phase4.received()
    assert refusals == []
    assert message["payloads"][0]["size"] == len(content)
