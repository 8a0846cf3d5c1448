"""Who captured another's ciphertext learns nothing by sending it, or a changed one, as their own."""

import uuid

import pytest
import signxml
from lxml import etree

from testbed.authorities import load_certificate, load_key
from tests.world import Party
from transport.message_service.models import IncomingMessage
from transport.protocol.message_receipt import ResponseCode
from transport.protocol.sdk_message import document

pytestmark = pytest.mark.xdist_group("federation-messages")
DS = "{http://www.w3.org/2000/09/xmldsig#}"
XENC = "{http://www.w3.org/2001/04/xmlenc#}"


def as_their_own(envelope: bytes, attacker: Party, ciphertext: bytes | None = None) -> tuple[str, bytes]:
    """(message id, envelope) with another's session key and ciphertext, signed by the attacker."""
    root = etree.fromstring(envelope)
    root.remove(root.find(f"{DS}Signature"))
    message_id = str(uuid.uuid4())
    root.find("{*}Header/{*}ID").text = message_id
    root.find(".//{*}FromParty/{*}PartyIdentification/{*}ID").text = attacker.participant.value
    if ciphertext is not None:
        root.find(f".//{XENC}EncryptedData/{XENC}CipherData/{XENC}CipherValue").text = ciphertext.decode()
    signer = signxml.XMLSigner(c14n_algorithm=signxml.CanonicalizationMethod.CANONICAL_XML_1_0)
    pair = attacker.files.signing
    signed = signer.sign(root, key=load_key(pair.key), cert=[load_certificate(pair.certificate)])
    return message_id, etree.tostring(signed)


def test_a_captured_ciphertext_is_answered_as_what_cannot_be_decrypted(world):
    accepted_id, envelope = world.sealed(world.message())
    world.transfer(envelope)
    assert world.answer_to(accepted_id).code is ResponseCode.ACCEPTED
    attacker = world.party("angripare")
    for ciphertext in (None, b"AAAA" * 64):
        message_id, captured = as_their_own(envelope, attacker, ciphertext)
        world.transfer(captured, sender=attacker)
        assert world.answer_to(message_id) is None
        row = IncomingMessage.objects.get(message_id=message_id)
        assert (row.is_accepted, row.cause) == (False, "key-of-another-message")


def test_what_nobody_accepted_blocks_nothing(world):
    """Who is faster than the sender with what they captured does not keep the message from arriving."""
    accepted_id, envelope = world.sealed(world.message())
    attacker = world.party("angripare")
    message_id, captured = as_their_own(envelope, attacker)
    world.transfer(captured, sender=attacker)
    assert IncomingMessage.objects.get(message_id=message_id).is_accepted is False
    world.transfer(envelope)
    assert world.answer_to(accepted_id).code is ResponseCode.ACCEPTED


def test_a_key_of_a_message_that_was_refused_is_not_tried_for_anybody_else(world):
    world.recipient.mailbox.is_open = False
    world.recipient.mailbox.save()
    refused, envelope = world.sealed(world.message())
    world.transfer(envelope)
    assert world.answer_to(refused).code is ResponseCode.REJECTED
    attacker = world.party("angripare")
    message_id, captured = as_their_own(envelope, attacker)
    world.transfer(captured, sender=attacker)
    assert world.answer_to(message_id) is None
    assert IncomingMessage.objects.get(message_id=message_id).cause == "key-of-another-message"


def test_a_captured_key_is_tried_once_by_a_signer_before_the_original_comes(world):
    _, envelope = world.sealed(world.message())
    attacker, another = world.party("angripare"), world.party("medhjalpare")
    causes = []
    for party, ciphertext in ((attacker, None), (attacker, b"AAAA" * 64), (another, None)):
        message_id, captured = as_their_own(envelope, party, ciphertext)
        world.transfer(captured, sender=party)
        assert world.answer_to(message_id) is None
        causes.append(IncomingMessage.objects.get(message_id=message_id).cause)
    assert causes == ["another-sender", "key-of-another-message", "key-of-another-message"]


def test_a_captured_message_of_more_text_than_is_read_is_not_answered_and_its_key_stays_free(
    world, monkeypatch
):
    """An answer would tell that a changed ciphertext was decrypted to what can be read so far."""
    message_id, envelope = world.sealed(world.message())
    attacker = world.party("angripare")
    with monkeypatch.context() as short:
        short.setattr(document, "_MOST_TEXT", 20)
        captured_id, captured = as_their_own(envelope, attacker)
        world.transfer(captured, sender=attacker)
    assert world.answer_to(captured_id) is None
    row = IncomingMessage.objects.get(message_id=captured_id)
    assert (row.cause, row.owns_session_key) == ("not-decryptable", False)
    world.transfer(envelope)
    assert world.answer_to(message_id).code is ResponseCode.ACCEPTED


def test_the_same_message_in_another_transfer_is_a_duplicate_as_before(world):
    message_id, envelope = world.sealed(world.message())
    world.transfer(envelope)
    world.transfer(envelope)
    assert {(cause.reason, cause.detail_code) for cause in world.answer_to(message_id).causes} == {
        ("BV", "duplicate")
    }
