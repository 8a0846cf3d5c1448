"""Fields for what people type and for what stands in addresses."""

from datetime import date

import pytest
from django import forms
from django.core.exceptions import ValidationError

from mailbox.forms import AddressForm, DayField, KeyField, KeysField, LineField, first_errors

ODD = ["\0", "²", "٣", "9" * 5_000, "-1", "1.5", "1e3", "\ud800", "<", str(2**63)]


@pytest.mark.parametrize("text", ODD)
def test_what_is_no_key_is_an_error_and_nothing_worse(text):
    with pytest.raises(ValidationError):
        KeyField().clean(text)


def test_a_key_is_a_number_and_nothing_is_none():
    assert KeyField(required=False).clean(" 17 ") == 17
    assert KeyField(required=False).clean("") is None
    assert KeyField().clean(str(2**63 - 1)) == 2**63 - 1


def test_of_several_keys_those_that_are_none_are_left_out():
    assert KeysField(required=False).clean(["1", *ODD, "2"]) == {1, 2}


@pytest.mark.parametrize("text", ["\0", "²", "9999-12-31", "0001-01-01", "2026-02-30", "9" * 5_000, "\ud800"])
def test_what_is_no_day_that_can_be_reckoned_with_is_an_error(text):
    with pytest.raises(ValidationError):
        DayField().clean(text)


def test_a_day_is_read_in_its_iso_form():
    assert DayField().clean("2026-11-29") == date(2026, 11, 29)


@pytest.mark.parametrize("text", ["a\0b", "a\nb", "a\x1bb", "a\u2028b", "a\u202eb", "a\ud800b"])
def test_a_line_has_no_control_characters(text):
    with pytest.raises(ValidationError):
        LineField().clean(text)


def test_a_line_loses_white_space_around_it():
    assert LineField().clean("  Bygglov  ") == "Bygglov"


class Asked(AddressForm):
    after = KeyField(required=False)
    since = DayField(required=False)
    page = KeyField(required=False, initial=1)


def test_an_address_gives_what_can_be_understood():
    understood = Asked({"after": "²", "since": "2026-11-29"}).understood()
    assert understood == {"after": None, "since": date(2026, 11, 29), "page": 1}
    assert Asked({"page": "\0"}).understood()["page"] == 1


def test_each_field_tells_the_first_thing_that_is_wrong():
    class Name(forms.Form):
        name = LineField()

    assert first_errors(Name({"name": "a\nb"})) == {"name": "Skriv på en rad, utan styrtecken."}
