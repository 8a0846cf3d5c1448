"""What we send wrong: phase4's answer is understood, and our log and the transfer's outcome say what it was.

phase4 has no signal for a message whose MIME breaks off: it answers HTTP 400, which is no answer. Whatever
WS-Security finds is EBMS:0102 with it; the detail tells.
"""

import pytest

from testbed.authorities import load_certificate
from tests.interop import faults, stand_ins
from tests.interop.build import Neighbours
from tests.world import work_is_clean
from transport.access_point.models import OutboundTransfer, TransferEvent

pytestmark = pytest.mark.xdist_group("interop")


def is_refused(neighbours: Neighbours, code: str, words: str, *, cause: str = "refused") -> OutboundTransfer:
    """We send a message, phase4 does not take it, and we know why."""
    transfer = neighbours.send(neighbours.transfer(b"<envelope/>" * 100))
    messages, refusals = neighbours.phase4.received()
    assert messages == []
    assert [error["code"] for error in refusals[0]["errors"]] == [code]
    assert (transfer.state, transfer.cause) == ("FAILED", cause)
    event = TransferEvent.objects.get(kind="FAILED")
    assert event.as4_message_id == transfer.as4_message_id == refusals[0]["message_id"]
    assert event.cause.startswith(f"{cause} {code} ")
    assert words in event.cause
    assert transfer.receipt is None
    assert work_is_clean(neighbours.served.work)
    return transfer


def test_an_unknown_recipient_is_0004_not_serviced(neighbours: Neighbours):
    neighbours.phase4.ask("serve", served=["0203:nagon-annan.se"])
    is_refused(neighbours, "EBMS:0004", "NOT_SERVICED", cause="not-serviced")


@pytest.mark.parametrize(
    ("certificate", "words"),
    [
        (stand_ins.expired, "validity check failed"),
        (stand_ins.revoked, "has been revoked"),
        (stand_ins.foreign, "certificate path validation"),
    ],
)
def test_our_certificate_when_it_does_not_hold_is_0102(
    neighbours: Neighbours, settings, tmp_path, certificate, words
):
    files = certificate(neighbours.world.federation, tmp_path)
    settings.SDK_ACCESS_POINT_KEY = str(files.key)
    settings.SDK_ACCESS_POINT_CERTIFICATE = str(files.certificate)
    is_refused(neighbours, "EBMS:0102", words)


@pytest.mark.parametrize(
    ("spoil", "code", "words"),
    [
        (faults.another_recipient, "EBMS:0102", "signature or decryption was invalid"),
        (faults.without_its_part, "EBMS:0011", "Expected 1 but having 0"),
        (faults.unsigned, "EBMS:0103", "not signed"),
    ],
)
def test_what_is_spoiled_on_its_way_is_refused(neighbours: Neighbours, monkeypatch, spoil, code, words):
    faults.spoil(monkeypatch, spoil)
    is_refused(neighbours, code, words)


def test_a_part_in_the_clear_is_0103(neighbours: Neighbours, monkeypatch):
    faults.known_session_key(monkeypatch)
    faults.spoil(monkeypatch, faults.in_the_clear)
    is_refused(neighbours, "EBMS:0103", "not encrypted")


def test_a_digest_that_does_not_fit_its_part_is_0102(neighbours: Neighbours, monkeypatch):
    faults.sign_another_digest(monkeypatch)
    is_refused(neighbours, "EBMS:0102", "signature or decryption was invalid")


def test_a_part_that_is_not_the_gzip_it_says_is_0303(neighbours: Neighbours, monkeypatch):
    faults.compress_nothing(monkeypatch)
    is_refused(neighbours, "EBMS:0303", "Not in GZIP format")


def test_what_is_encrypted_for_another_is_0102(neighbours: Neighbours, monkeypatch):
    faults.encrypt_for(monkeypatch, load_certificate(neighbours.served.files.certificate))
    is_refused(neighbours, "EBMS:0102", "Cannot find key for certificate")


def test_half_a_message_is_answered_without_a_signal_and_tried_again(neighbours: Neighbours, monkeypatch):
    faults.spoil(monkeypatch, faults.cut_in_half)
    transfer = neighbours.send(neighbours.transfer(b"<envelope/>"))
    messages, refusals = neighbours.phase4.received()
    assert messages == []
    assert "MessagingException" in refusals[0]["exception"]
    assert (transfer.state, transfer.cause) == ("PENDING", "unreachable")
    assert TransferEvent.objects.get(kind="RESENDING").cause == "unreachable HTTP 400"
    monkeypatch.undo()
    assert neighbours.send(transfer).state == "DELIVERED"
