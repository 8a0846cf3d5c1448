"""The patterns of case numbers, and numbers read by them."""

import time
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailbox.registration.case_numbers import InvalidPattern, Mismatch, parse

DAY = date(2026, 11, 30)


@pytest.mark.parametrize(
    ("pattern", "number", "read"),
    [
        ("KS {år}/{nr}", "KS 2026/117", "KS 2026/117"),
        ("KS {år}/{nr}", "ks 2026/117", "KS 2026/117"),
        ("SN-{år}-{nr:5}", "SN-2026-00117", "SN-2026-00117"),
        ("{år}/{nr}[-{nr}]", "2026/117", "2026/117"),
        ("{år}/{nr}[-{nr}]", "2026/117-3", "2026/117-3"),
        ("Dnr {nr}/{åå}", "Dnr 117/26", "Dnr 117/26"),
        ("{bokstäver:2} {year}/{number}", "KS 2026/1", "KS 2026/1"),
        ("{letters}{nr}", "Skola12", "Skola12"),
        ("{nr}{nr:2}", "12345", "12345"),
        ("[KS ]{nr}", "7", "7"),
    ],
)
def test_a_number_of_the_patterns_form_is_read_and_spelt_as_the_pattern_has_it(pattern, number, read):
    assert parse(pattern).read(number) == read


@pytest.mark.parametrize(
    ("pattern", "number", "right", "expected"),
    [
        ("KS {år}/{nr}", "SN 2026/117", "", "text"),
        ("KS {år}/{nr}", "KS 26/117", "KS 26", "year"),
        ("KS {år}/{nr}", "KS 3026/117", "KS ", "year"),
        ("KS {år}/{nr}", "KS 2026-117", "KS 2026", "text"),
        ("KS {år}/{nr}", "KS 2026/", "KS 2026/", "digits"),
        ("KS {år}/{nr}", "KS 2026/117b", "KS 2026/117", None),
        ("KS {år}/{nr}", "KS 2026/²", "KS 2026/", "digits"),
        ("KS {år}/{nr:4}", "KS 2026/117", "KS 2026/117", "digits"),
        ("{år}/{nr}[-{nr}]", "2026/117-", "2026/117-", "digits"),
        ("KS {år}/{nr}", "", "", "text"),
    ],
)
def test_what_is_wrong_with_a_number_is_told_with_what_was_right(pattern, number, right, expected):
    with pytest.raises(Mismatch) as raised:
        parse(pattern).read(number)
    assert raised.value.read == right
    assert (raised.value.expected and raised.value.expected.kind) == expected


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("KS [{nr}", "bracket"),
        ("KS {nr}]", "bracket"),
        ("KS [[{nr}]]", "nested"),
        ("KS {ar}/{nr}", "placeholder"),
        ("KS {år:4}/{nr}", "placeholder"),
        ("KS {nr:0}", "placeholder"),
        ("KS {nr", "placeholder"),
        ("KS {nr:11}", "count"),
        ("KS {år}", "no-number"),
        ("KS [{nr}]", "no-number"),
        ("", "no-number"),
        ("K" * 60 + "{nr}", "long"),
    ],
)
def test_a_pattern_that_cannot_be_used_is_refused(text, code):
    with pytest.raises(InvalidPattern) as raised:
        parse(text)
    assert raised.value.code == code


@given(
    st.lists(st.sampled_from(["KS ", "{år}", "{nr}", "{nr:3}", "{bokstäver}", "[-{nr}]", "/"]), max_size=6)
)
def test_the_examples_of_a_pattern_have_its_form(parts):
    try:
        pattern = parse("".join(parts))
    except InvalidPattern:
        return
    for example in pattern.examples(DAY):
        assert pattern.read(example) == example


def test_examples_are_told_without_and_with_what_may_be_left_out():
    assert parse("KS {år}/{nr}[-{nr:2}]").examples(DAY) == ["KS 2026/123", "KS 2026/123-12"]
    assert parse("KS {år}/{nr}").examples(DAY) == ["KS 2026/123"]


def test_no_pattern_is_slow():
    pattern = parse("{nr}" * 19 + "x")
    began = time.process_time()
    with pytest.raises(Mismatch):
        pattern.read("1" * 60)
    # As a regular expression it would take longer than anybody waits.
    assert time.process_time() - began < 1
