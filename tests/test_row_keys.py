"""One rule for which texts are keys of rows, whatever room reads them."""

import pytest
from django.core.exceptions import ValidationError
from django.http import QueryDict
from django.test import RequestFactory

from addressbook.forms import ListForm, Position
from mailbox.drafts.forms import LenientKeyField
from mailbox.forms import KeyField, KeysField
from mailbox.live.open_pages import Page
from mailbox.search.query import Position as HitPosition
from mailbox.workplace.views import _open_key
from transport.row_keys import LARGEST_KEY, row_key

KEYS = {"0": 0, "1": 1, "017": 17, str(2**63 - 1): 2**63 - 1}
NO_KEYS = {
    "empty": "",
    "negative": "-1",
    "with a plus": "+1",
    "larger than the column": str(2**63),
    "nineteen nines": "9" * 19,
    "five thousand digits": "9" * 5_000,
    "five thousand noughts": "0" * 5_000,
    "superscript": "²",
    "Arabic digit": "٣",
    "NUL": "1\0",
    "half a surrogate": "\ud800",
    "fraction": "1.5",
    "underscore": "1_000",
    "white space inside": "1 7",
}


def of_open_page(text):
    query = QueryDict(mutable=True)
    query["conversation"] = text
    conversations = Page.from_query("", query).conversations
    return conversations[0] if conversations else None


def of_key_field(text):
    try:
        return KeyField(required=False).clean(text)
    except ValidationError:
        return None


def of_keys_field(text):
    return next(iter(KeysField(required=False).clean([text])), None)


def of_address_book(text):
    position = ListForm({"after": f"Habo kommun|{text}"}).position()
    assert position is None or position == Position("Habo kommun", position.key)
    return position and position.key


def of_hit(text):
    position = HitPosition.parse(f"1_2026-11-29T12:00:00+00:00_{text}")
    return position and position.key


def of_header(text):
    return _open_key(RequestFactory().get("/", headers={"X-Open": text}))


READERS = [
    row_key,
    of_key_field,
    LenientKeyField().to_python,
    of_keys_field,
    of_open_page,
    of_address_book,
    of_hit,
    of_header,
]


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize(("text", "key"), KEYS.items())
def test_a_key_that_fits_the_column_is_read_in_every_room(read, text, key):
    assert read(text) == key


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize("text", NO_KEYS.values(), ids=NO_KEYS)
def test_what_is_no_key_is_none_in_every_room(read, text):
    assert read(text) is None


def test_the_largest_key_is_the_largest_value_of_the_column():
    assert LARGEST_KEY == 9_223_372_036_854_775_807
