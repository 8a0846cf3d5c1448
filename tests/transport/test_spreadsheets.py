"""What is written for spreadsheets is text to them."""

import pytest

from transport.spreadsheets import harmless

FORMULA = '=HYPERLINK("https://a.example","x")'


@pytest.mark.parametrize(
    "before",
    [
        "",
        " ",
        "\n",
        "\r\n",
        "\t",
        "\u00a0",
        "\u3000",
        "\u200b",
        "\ufeff",
        "\u2028",
        "\x00",
        "\x85",
        ' \n"',
        "\v",
    ],
)
@pytest.mark.parametrize("sign", ["=", "+", "-", "@", "＝", "＋", "－", "＠", "﹣", "﹦", "\u2212", "⁺"])
def test_a_formula_is_shown_and_not_reckoned_whatever_stands_before_it(before, sign):
    text = f"{before}{sign}{FORMULA[1:]}"
    assert harmless(text) == f"'{text}"


@pytest.mark.parametrize("text", ["\tx", "\nx", "\rx", "\u2028x"])
def test_what_begins_with_the_end_of_a_cell_stays_in_its_cell(text):
    assert harmless(text) == f"'{text}"


@pytest.mark.parametrize(
    "text", ["", "Bygglov", "0203:habo.se", " Bygglov", "a=b", "Å", "#1", "2026-11-28T10:00:00+01:00", '"x"']
)
def test_other_texts_are_left_as_they_are(text):
    assert harmless(text) == text


def test_nothing_is_an_empty_cell_and_a_number_its_digits():
    assert harmless(None) == ""
    assert harmless(17) == "17"
