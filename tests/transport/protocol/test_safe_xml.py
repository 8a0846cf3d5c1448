"""XML from strangers is bounded and self-contained."""

import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transport.protocol.xml.safe_xml import BoundedReader, Limits, XmlProblem, XmlRefused, check, parse

LIMITS = Limits(max_bytes=10_000, max_depth=10, max_elements=50, max_attributes=5, max_attribute_length=100)


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        (b"<!DOCTYPE a><a/>", XmlProblem.DOCUMENT_TYPE),
        (b"<!DOCTYPE a [<!ENTITY b SYSTEM 'file:///etc/passwd'>]><a>&b;</a>", XmlProblem.DOCUMENT_TYPE),
        (b"<!DOCTYPE a [<!ENTITY % b SYSTEM 'http://192.0.2.1/'> %b;]><a/>", XmlProblem.DOCUMENT_TYPE),
        (
            "<?xml version='1.0' encoding='UTF-16'?><!DOCTYPE a><a/>".encode("utf-16"),
            XmlProblem.DOCUMENT_TYPE,
        ),
        (b"<a>&undeclared;</a>", XmlProblem.MALFORMED),
        (b"<a><b></a>", XmlProblem.MALFORMED),
        (b"", XmlProblem.MALFORMED),
        (b"<a/>" + b" " * 10_000, XmlProblem.TOO_LARGE),
        (b"<a>" * 11 + b"</a>" * 11, XmlProblem.TOO_DEEP),
        (b"<a>" + b"<b/>" * 50 + b"</a>", XmlProblem.TOO_MANY_ELEMENTS),
        (b"<a b='1' c='1' d='1' e='1' f='1' g='1'/>", XmlProblem.TOO_MANY_ATTRIBUTES),
        (b"<a b='" + b"x" * 101 + b"'/>", XmlProblem.NAME_TOO_LONG),
    ],
)
def test_what_is_dangerous_is_refused_by_name(document, problem):
    with pytest.raises(XmlRefused) as refused:
        parse(document, LIMITS)
    assert refused.value.problem is problem


@pytest.mark.parametrize("encoding", ["UTF-9", "hex", "utf-7", "idna", "punycode", "undefined", "gbk"])
def test_an_encoding_that_is_unknown_or_no_xml_s_is_malformed(encoding):
    with pytest.raises(XmlRefused) as refused:
        parse(f"<?xml version='1.0' encoding='{encoding}'?><a/>".encode())
    assert refused.value.problem is XmlProblem.MALFORMED


@pytest.mark.parametrize("error", [ValueError, LookupError])
def test_what_a_handler_raises_goes_through(error):
    def raising(name, attributes):
        raise error("its own")

    reader = BoundedReader(LIMITS)
    reader.on_start = raising
    with pytest.raises(error, match="its own"):
        reader.feed(b"<a/>")


def test_a_refusal_says_where():
    with pytest.raises(XmlRefused) as refused:
        parse(b"<a>\n\n<b></a>")
    assert refused.value.line == 3


def test_a_plain_document_is_read():
    assert parse(b"<a b='c'><d>\xc3\xa5</d></a>").findtext("d") == "å"


@given(st.binary(max_size=300))
@settings(max_examples=300, deadline=None)
def test_any_bytes_are_read_or_refused(data):
    try:
        check(io.BytesIO(data), LIMITS)
    except XmlRefused:
        with pytest.raises(XmlRefused):
            parse(data, LIMITS)
