"""Colour, space and type are said once; what is written can be read on its ground in both schemes; and the
field's terms are explained where they are used."""

import re
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parent.parent
TOKENS = PROJECT / "static" / "design" / "tokens.css"
# The page of a record bundle is a document by itself, made for paper.
SHEETS = sorted(
    path
    for path in (PROJECT / "static").rglob("*.css")
    if path != TOKENS and path.relative_to(PROJECT) != Path("static/archive/page.css")
)
_COLOUR = re.compile(
    r"#[0-9a-fA-F]{3,8}\b|\b(?:rgb|hsl|oklch|color)a?\(|(?<![-\w])(?:white|black|red|gr[ae]y)\b"
)
_DECLARATION = re.compile(r"(?<=[{;\s])([a-z-]+):\s*([^;{}]+)")
_LENGTH = re.compile(r"(?<![-\w.])\d*\.?\d+(?:rem|px|pt)\b")
_TYPE = {"font", "font-size", "font-family"}
# Text needs 4.5:1, what is only seen 3:1 (WCAG 1.4.3, 1.4.11).
_TEXT = [
    *((ink, ground) for ink in ("ink", "ink-soft", "accent", "bad") for ground in ("ground", "surface")),
    *((ink, f"{ink}-soft") for ink in ("accent", "warn", "bad", "good", "secret")),
    *(("ink", f"{ground}-soft") for ground in ("accent", "warn", "bad", "good", "secret")),
    ("accent-ink", "accent"),
]
_LINES = [(line, ground) for line in ("line", "focus") for ground in ("ground", "surface")]


def without_comments(path: Path) -> str:
    return re.sub(r"/\*.*?\*/", "", path.read_text(), flags=re.DOTALL)


def declared(text: str) -> dict[str, str]:
    return dict(re.findall(r"--([a-z0-9-]+):\s*([^;]+);", text))


def schemes() -> dict[str, dict[str, str]]:
    light, dark = without_comments(TOKENS).split("@media (prefers-color-scheme: dark)")
    return {"light": declared(light), "dark": declared(light) | declared(dark)}


def spoken_for_itself(text: str) -> list[str]:
    """What a sheet says of colour, type and space in values of its own."""
    found = []
    for name, value in _DECLARATION.findall(text):
        is_space = re.fullmatch(r"(?:padding|margin|gap|row-gap|column-gap)(?:-[a-z]+)?", name)
        has_length = _LENGTH.search(value) and (is_space or name in _TYPE)
        if _COLOUR.search(value) or has_length or (name == "font-family" and "var(" not in value):
            found.append(f"{name}: {value.strip()}")
    return found


@pytest.mark.parametrize("sheet", SHEETS, ids=lambda path: path.name)
def test_colour_space_and_type_are_said_by_tokens_alone(sheet):
    text = without_comments(sheet)
    assert spoken_for_itself(text) == []
    assert set(re.findall(r"var\(--([a-z0-9-]+)", text)) <= set(schemes()["light"])


@pytest.mark.parametrize(
    "said",
    [
        "color: #fff",
        "background: rgb(0 0 0)",
        "border: 1px solid white",
        "font-size: 1.1rem",
        "margin: 4px 0",
    ],
)
def test_what_a_sheet_says_for_itself_is_found(said):
    assert spoken_for_itself(f"p {{ {said}; padding: var(--space-1); border-radius: 1rem }}") == [said]


def test_every_colour_has_a_value_of_its_own_in_the_dark():
    light = {name: value for name, value in schemes()["light"].items() if value.startswith("#")}
    alike = {name for name, value in light.items() if schemes()["dark"][name] == value}
    assert len(light) > 15
    assert alike == {"paper"}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_and_lines_can_be_told_from_their_ground(scheme):
    colours = schemes()[scheme]
    too_faint = [
        (over, under, round(contrast(colours[over], colours[under]), 2))
        for pairs, least in ((_TEXT, 4.5), (_LINES, 3.0))
        for over, under in pairs
        if contrast(colours[over], colours[under]) < least
    ]
    assert too_faint == []


def test_contrast_is_what_wcag_says_it_is():
    assert contrast("#ffffff", "#000000") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


def contrast(one: str, other: str) -> float:
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def luminance(colour: str) -> float:
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


# --- Terms


TEMPLATES = PROJECT / "templates"
_USED = {
    "function-address": re.compile("funktionsadress", re.IGNORECASE),
    "message-receipt": re.compile("meddelandekvittens", re.IGNORECASE),
    "transport-receipt": re.compile("transportkvittens", re.IGNORECASE),
}
# The record bundle's page is read elsewhere, a year from now.
_APART = {"archive/conversation.html"}


def pages() -> dict[str, str]:
    """What each page says of itself, parts of pages left out."""
    return {
        str(path.relative_to(TEMPLATES)): path.read_text()
        for path in TEMPLATES.rglob("*.html")
        if not path.name.startswith("_") and str(path.relative_to(TEMPLATES)) not in _APART
    }


@pytest.mark.parametrize("term", sorted(_USED))
def test_a_term_is_explained_on_every_page_that_uses_it(term):
    using = {name for name, text in pages().items() if _USED[term].search(text)}
    explaining = {name for name, text in pages().items() if f'{{% term "{term}" %}}' in text}
    assert using - explaining == set()
    assert explaining, "and somewhere at all"
