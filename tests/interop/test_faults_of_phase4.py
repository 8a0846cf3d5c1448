"""What phase4 sends wrong: refused with its EBMS code, told in the log, and nothing delivered or left behind.

Where phase4 can be made to send it, it does, and understands our error. What no sender makes is composed by
phase4 and spoiled on its way.
"""

import os

import pytest

from testbed.authorities import load_certificate
from tests.interop import stand_ins
from tests.interop.build import Neighbours
from tests.interop.faults import cut_in_half, without_its_part
from transport.protocol.certificates import fingerprint
from transport.protocol.identifiers import ParticipantId

pytestmark = pytest.mark.xdist_group("interop")


def is_refused(neighbours: Neighbours, code: str, words: str, **order) -> None:
    """phase4 sends a message, and each side knows why it was not taken."""
    sent = neighbours.from_phase4(*order.pop("payloads", ()), **order)
    assert [error for error, _ in sent.errors] == [code], sent
    assert words in sent.errors[0][1]
    if (event := neighbours.refusal()) is not None:
        assert event.cause.startswith(code)
        assert words in event.cause
        assert event.as4_message_id == sent.message_id
    assert neighbours.nothing_arrived()


def test_an_unknown_recipient_is_0004_not_serviced(neighbours: Neighbours):
    is_refused(neighbours, "EBMS:0004", "NOT_SERVICED", recipient=ParticipantId("0203:okand.se"))


def test_a_message_type_that_is_not_served_is_0004_not_serviced(neighbours: Neighbours):
    is_refused(neighbours, "EBMS:0004", "NOT_SERVICED", action="busdox-docid-qns::urn:annan")


@pytest.mark.parametrize(
    ("certificate", "words"),
    [
        (stand_ins.expired, "expired"),
        (stand_ins.not_valid_yet, "not yet valid"),
        (stand_ins.revoked, "revoked"),
        (stand_ins.foreign, "not issued by a CA of this environment"),
    ],
)
def test_a_sender_s_certificate_that_does_not_hold_is_0101(
    neighbours: Neighbours, tmp_path, certificate, words
):
    files = certificate(neighbours.world.federation, tmp_path)
    neighbours.phase4.sign_with(files)
    try:
        is_refused(neighbours, "EBMS:0101", words, **{"from": stand_ins.name_of(files)})
    finally:
        neighbours.phase4.sign_with(neighbours.phase4.files)
    if (event := neighbours.refusal()) is not None:
        assert event.certificate == fingerprint(load_certificate(files.certificate))


def test_a_party_id_that_is_not_the_certificate_s_cn_is_0003(neighbours: Neighbours):
    is_refused(neighbours, "EBMS:0003", "From/PartyId", **{"from": "AP-NAGON-ANNAN-TEST"})


def test_a_message_for_another_access_point_is_0003(neighbours: Neighbours):
    is_refused(neighbours, "EBMS:0003", "To/PartyId", to="AP-NAGON-ANNAN-TEST")


def test_another_service_is_0001(neighbours: Neighbours):
    is_refused(neighbours, "EBMS:0001", "Service", service="urn:annan")


def test_what_is_encrypted_for_another_is_0102(neighbours: Neighbours):
    is_refused(
        neighbours,
        "EBMS:0102",
        "not encrypted for this access point",
        certificate=neighbours.phase4.files.certificate,
    )


def test_a_digest_that_does_not_fit_its_part_is_0101(neighbours: Neighbours):
    is_refused(neighbours, "EBMS:0101", "digest of a part", habits={"changes_after_signing": True})


def test_a_part_that_is_not_the_gzip_it_says_is_0303(neighbours: Neighbours):
    content = b"this is no gzip, however much of it is read"
    payload = neighbours.payload(
        content, mime_type="application/octet-stream", is_compressed=False, claims_compression=True
    )
    is_refused(neighbours, "EBMS:0303", "not gzip", payloads=(payload,))


def test_an_unsigned_message_is_0103(neighbours: Neighbours):
    is_refused(neighbours, "EBMS:0103", "not signed", habits={"sign": "none"})


def test_an_unencrypted_part_is_0103(neighbours: Neighbours):
    is_refused(neighbours, "EBMS:0103", "not encrypted", habits={"crypt": "none"})


def test_several_payloads_are_0003(neighbours: Neighbours):
    """The federation's transport carries one envelope."""
    payloads = (neighbours.payload(b"<one/>"), neighbours.payload(b"<two/>"))
    is_refused(neighbours, "EBMS:0003", "not exactly one payload", payloads=payloads)


def another_sender(content_type: str, body: bytes) -> bytes:
    return body.replace(b">0203:granne-", b">0203:grenna-")


def another_signature(content_type: str, body: bytes) -> bytes:
    at = body.index(b"SignatureValue>") + len(b"SignatureValue>")
    return body[:at] + (b"B" if body[at : at + 1] == b"A" else b"A") + body[at + 1 :]


def another_ciphertext(content_type: str, body: bytes) -> bytes:
    at = body.rindex(b"\r\n\r\n") + 40
    return body[:at] + bytes([body[at] ^ 1]) + body[at + 1 :]


def another_boundary(content_type: str, body: bytes) -> bytes:
    return body.replace(b"------=", b"-----+-")


def twice_the_part(content_type: str, body: bytes) -> bytes:
    at = body.rindex(b"\r\n--")
    start = body.rindex(b"\r\n--", 0, at)
    return body[:at] + body[start:at] + body[at:]


@pytest.mark.parametrize(
    ("spoil", "code", "words", "is_named"),
    [
        (another_sender, "EBMS:0101", "digest of a header element", True),
        (another_signature, "EBMS:0101", "signature does not hold", True),
        (another_ciphertext, "EBMS:0102", "cannot be decrypted", True),
        (cut_in_half, "EBMS:0007", "ends within a part", True),
        (another_boundary, "EBMS:0007", "no delimiter", False),
        (without_its_part, "EBMS:0007", "is missing", True),
        (twice_the_part, "EBMS:0007", "announced twice", True),
    ],
)
def test_what_phase4_composed_and_was_spoiled_is_refused(
    neighbours: Neighbours, spoil, code, words, is_named
):
    message_id, content_type, body = neighbours.composed(neighbours.payload(os.urandom(50_000)))
    spoiled = spoil(content_type, body)
    assert spoiled != body
    signal = neighbours.post_spoiled(content_type, spoiled)
    assert [error.code for error in signal.errors] == [code]
    assert words in signal.errors[0].detail
    if (event := neighbours.refusal()) is not None:
        assert event.cause.startswith(code)
        assert words in event.cause
        assert event.as4_message_id == (message_id if is_named else "")
    assert neighbours.nothing_arrived()
