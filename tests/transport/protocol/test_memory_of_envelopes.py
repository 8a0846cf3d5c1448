"""An envelope that is not a small document around one text is read whole: so it is bounded."""

import io

import pytest

from transport.protocol.findings import Detail
from transport.protocol.sdk_message.message import write_message
from transport.protocol.sdk_message.rules import check_message
from transport.protocol.xhe.opening import verify_envelope
from transport.protocol.xhe.sealing import seal
from transport.protocol.xml.safe_xml import MEBIBYTE, XmlProblem, XmlRefused

from .build import a_message, an_envelope
from .keys import certificate, key

END = b"</x:XHE>"


def sealed() -> bytes:
    payload, out = io.BytesIO(), io.BytesIO()
    write_message(a_message(text="x" * 100_000), payload)
    payload.seek(0)
    seal(
        an_envelope(),
        payload,
        out,
        signing_key=key("org1"),
        signing_certificate=certificate("org1"),
        encryption_certificate=certificate("org2"),
    )
    return out.getvalue()


@pytest.mark.parametrize(
    ("comments", "problem"),
    [
        (b"<!---->" * 6_000_000, XmlProblem.TOO_MANY_ELEMENTS),
        (b"<?a?>" * 6_000_000, XmlProblem.TOO_MANY_ELEMENTS),
        (b"<!--" + b"x" * (50 * MEBIBYTE) + b"-->", XmlProblem.TOO_LARGE),
    ],
    ids=["comments", "processing instructions", "one comment"],
)
def test_what_is_not_signed_cannot_make_an_envelope_fill_the_memory(comments, problem):
    envelope = sealed().replace(END, comments + END)
    with pytest.raises(XmlRefused) as refusal:
        verify_envelope(io.BytesIO(envelope))
    assert refusal.value.problem is problem


def test_comments_at_the_end_of_an_envelope_are_allowed():
    envelope = sealed().replace(END, b"<!-- a -->" * 10_000 + END)
    assert verify_envelope(io.BytesIO(envelope)).is_encrypted


def test_text_of_a_message_is_held_up_to_a_limit_and_then_the_message_is_too_long():
    out = io.BytesIO()
    write_message(a_message(text="x" * (33 * MEBIBYTE)), out)
    out.seek(0)
    assert [finding.detail for finding in check_message(out)] == [Detail.TOO_LONG]
