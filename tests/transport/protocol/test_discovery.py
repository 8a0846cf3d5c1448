"""Names that are asked for, and which of the records' answers are believed."""

import base64
import hashlib

import pytest

from transport.protocol.discovery import Naptr, NoServiceRecord, bdxl_name, metadata_url, smp_base_url
from transport.protocol.identifiers import DocumentType, ParticipantId

HABO = ParticipantId.parse("0203:habo.se")


def a_record(regexp: str = "!^.*$!https://smp.example!", **changes) -> Naptr:
    values = {"order": 100, "preference": 10, "flags": "U", "service": "Meta:SMP"}
    return Naptr(**{**values, **changes}, regexp=regexp)


def test_the_name_is_the_hash_of_the_lower_cased_identifier():
    label = base64.b32encode(hashlib.sha256(b"0203:habo.se").digest()).decode().rstrip("=")
    expected = f"{label}.iso6523-actorid-upis.sml.example"
    assert bdxl_name(HABO, "sml.example") == expected
    assert bdxl_name(ParticipantId.parse("0203:HABO.se"), ".sml.example.") == expected
    assert len(label) == 52


def test_each_segment_of_the_url_is_percent_encoded():
    url = metadata_url("https://smp.example", HABO, DocumentType("a/b?c#d", "s"))
    assert url == "https://smp.example/iso6523-actorid-upis%3A%3A0203%3Ahabo.se/services/s%3A%3Aa%2Fb%3Fc%23d"


def test_the_lowest_order_counts_before_the_lowest_preference():
    records = [
        a_record("!^.*$!https://third.example!", order=2, preference=1),
        a_record("!^.*$!https://second.example!", order=1, preference=2),
        a_record("!^.*$!https://first.example/!", order=1, preference=1),
    ]
    assert smp_base_url(records) == "https://first.example"


def test_a_record_for_something_else_is_passed_over():
    others = [a_record(order=1, flags="S"), a_record(order=2, service="Meta:SMP2")]
    assert smp_base_url([*others, a_record("!.*!http://smp.example!i", order=3)]) == "http://smp.example"


@pytest.mark.parametrize(
    "regexp",
    [
        "",
        "!",
        "!^.*$!https://smp.example",
        "!^.*$!https://smp.example!!",
        "!^(.*)$!https://smp.example/\\1!",
        "!^.*$!https://smp.example/\\0!",
        "!^.*$!ftp://smp.example!",
        "!^.*$!https:///path!",
        "!^.*$!https://[!",
        "!^.*$!https://smp.example/a b!",
        "!^.*$!https://smp.example/\r\nHost: other!",
        "!^.*$!https://smp.example/" + "a" * 2048 + "!",
    ],
)
def test_an_expression_that_is_not_a_plain_url_for_everything_is_refused(regexp):
    with pytest.raises(NoServiceRecord):
        smp_base_url([a_record(regexp)])
