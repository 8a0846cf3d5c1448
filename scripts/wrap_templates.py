"""Keeps the lines of templates within 120 characters, without changing what a page shows.

    python scripts/wrap_templates.py [--check] [FOLDER...]

A line is broken only where that changes nothing: where there is whitespace already, between the attributes of
a tag, between the classes of one, beside a block of the page (a paragraph, a list item), and in text for
translation, whose lines are joined again (`trimmed`), so that its msgid stays as it is. With `--check`
nothing is changed; lines that are too long are told, and the exit status is 1 if there are any.
"""

import argparse
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
LONGEST = 120
_FOLDERS = ("templates", "testbed/templates")
_BLOCKS = frozenset(
    re.findall(
        r"\w+",
        """
        html head body main header footer nav section article aside div p ul ol li dl dt dd
        table thead tbody tfoot tr td th caption form fieldset legend h1 h2 h3 h4 h5 h6 hr
        details summary meta link figure dialog
        """,
    )
)
# In lines of text, with content that begins and ends as a block's does.
_BLOCKS_INSIDE = frozenset({"button", "option", "title"})
_VERBATIM = frozenset({"pre", "textarea", "script", "style"})
_DJANGO = re.compile(r"\{%.*?%\}|\{\{.*?\}\}|\{#.*?#\}", re.S)
_TRANSLATION = re.compile(
    r"\{% blocktrans(?:late)?(?P<with>[^%]*)%\}(?P<body>.*?)\{% endblocktrans(?:late)? %\}", re.S
)
_LONG_TEXT = re.compile(r"""\{% translate (["'])(?P<text>[^"'%{}]{45,})\1 %\}""")
_TEXT = re.compile(r"""\{% translate (["'])(?P<text>[^"'%{}]+)\1 %\}""")
_TAG_NAME = re.compile(r"<[a-zA-Z][\w-]*$")
# Attributes that are read together with the one before them.
_TOGETHER = ("value=", "download", "selected", "checked", "method=", "aria-current", "data-key")
_TAG = re.compile(r"</?([a-zA-Z][\w-]*)")
# The earlier in this list, the better a place to break at, if the line is not left too short by it.
_KINDS = ("block", "text", "inner", "attribute", "translation", "class", "bracket", "tight")
_SHORT = 50
_MOST_BREAKS = 1000


@dataclass(frozen=True)
class Gap:
    """A place where a line may be broken: what stands from `start` to `end` gives way to the new line."""

    start: int
    end: int
    kind: str


def wrapped(text: str) -> str:
    """The template with its long lines broken; lines that cannot be stay as they are."""
    text = _LONG_TEXT.sub(lambda match: _as_block(text, match), text)
    text = _TRANSLATION.sub(lambda match: _trimmed(text, match), text)
    for _ in range(_MOST_BREAKS):
        shorter = _once(text)
        if shorter == text:
            shorter = _with_a_block_more(text)
        if shorter == text:
            return text
        text = shorter
    return text


def _with_a_block_more(text: str) -> str:
    """The last short translation of the first line that cannot be broken, as a block, whose lines can be."""
    start = 0
    while start < len(text):
        end = _line_end(text, start)
        found = list(_TEXT.finditer(text, start, end)) if end - start > LONGEST else []
        if found:
            block = f"{{% blocktranslate trimmed %}}{found[-1]['text']}{{% endblocktranslate %}}"
            return text[: found[-1].start()] + block + text[found[-1].end() :]
        start = end + 1
    return text


def _line_around(text: str, start: int, end: int) -> str:
    return text[text.rfind("\n", 0, start) + 1 : _line_end(text, end)]


def _line_end(text: str, position: int) -> int:
    found = text.find("\n", position)
    return len(text) if found < 0 else found


def _as_block(text: str, match: re.Match[str]) -> str:
    if len(_line_around(text, *match.span())) <= LONGEST:
        return match[0]
    return f"{{% blocktranslate trimmed %}}{match['text']}{{% endblocktranslate %}}"


def _trimmed(text: str, match: re.Match[str]) -> str:
    """The same translation, whose lines may be broken; as it is where that would change its msgid."""
    words = match["with"].split()
    parts = re.split(r"\{% plural %\}", match["body"])
    fits = all(len(line) <= LONGEST for line in _line_around(text, *match.span()).split("\n"))
    if fits or "trimmed" in words or any(part != " ".join(part.split()) for part in parts):
        return match[0]
    rest = "".join(f" {word}" for word in words)
    return f"{{% blocktranslate trimmed{rest} %}}{match['body']}{{% endblocktranslate %}}"


def _once(text: str) -> str:
    """The template with its first line that is too long, and can be broken, broken in two."""
    gaps: list[Gap] | None = None
    start = 0
    while start < len(text):
        end = _line_end(text, start)
        if end - start > LONGEST:
            gaps = list(_gaps(text)) if gaps is None else gaps
            line = text[start:end]
            indent = len(line) - len(line.lstrip())
            if gap := _best(gaps, start, end, indent):
                deeper = indent + (0 if _is_continued(text, start) else 2)
                return f"{text[: gap.start]}\n{' ' * deeper}{text[gap.end :]}"
        start = end + 1
    return text


def _is_continued(text: str, start: int) -> bool:
    """Whether the line before was broken to begin this one: then it is indented as deep as is needed."""
    before = text[text.rfind("\n", 0, max(start - 1, 0)) + 1 : max(start - 1, 0)]
    now = text[start : _line_end(text, start)]
    indents = [len(line) - len(line.lstrip()) for line in (before, now)]
    return bool(before.strip()) and indents[1] == indents[0] + 2 and len(before) > _SHORT


def _best(gaps: list[Gap], start: int, end: int, indent: int) -> Gap | None:
    within = [gap for gap in gaps if start + indent < gap.start and gap.end < end]
    fitting = [gap for gap in within if gap.start - start <= LONGEST]
    if not fitting:
        better = [gap for gap in within if gap.kind not in ("bracket", "tight")]
        return next(iter(better or within), None)
    for kind in _KINDS:
        of_kind = [gap for gap in fitting if gap.kind == kind and gap.start - start >= _SHORT]
        if of_kind:
            return of_kind[-1]
    return fitting[-1]


def _gaps(text: str) -> Iterator[Gap]:
    """Every place where a line may be broken, in their order."""
    position, tag, quote, attribute, verbatim = 0, "", "", "", ""
    while position < len(text):
        if match := _TRANSLATION.match(text, position):
            yield from _in_translation(match)
            position = match.end()
        elif match := _DJANGO.match(text, position):
            position = match.end()
        elif tag:
            character = text[position]
            if quote:
                if character == " " and attribute == "class":
                    yield Gap(position, position + 1, "class")
                if character == quote:
                    quote = ""
            elif character in "\"'":
                quote = character
                attribute = re.split(r"[\s\"']", text[max(0, position - 40) : position - 1])[-1].lower()
            elif character == " " and text[position + 1] not in " />":
                is_first = _TAG_NAME.search(text[max(0, position - 20) : position])
                is_tight = is_first or text.startswith(_TOGETHER, position + 1)
                yield Gap(position, position + 1, "tight" if is_tight else "attribute")
            elif character == ">":
                name = tag.strip("/")
                if not tag.startswith("/") and name in _VERBATIM:
                    verbatim = name
                elif name == verbatim:
                    verbatim = ""
                yield Gap(position, position, "bracket")
                kind = "block" if tag.startswith("/") else "inner"
                tag = ""
                is_beside_block = name in _BLOCKS or (name in _BLOCKS_INSIDE and kind == "inner")
                if is_beside_block and not verbatim and text[position + 1 : position + 2].strip():
                    yield Gap(position + 1, position + 1, kind)
            position += 1
        elif match := _TAG.match(text, position):
            closes = text.startswith("</", position)
            name = match[1].lower()
            if not verbatim or (closes and name == verbatim):
                is_beside_block = name in _BLOCKS or (name in _BLOCKS_INSIDE and closes)
                if is_beside_block and position and text[position - 1].strip():
                    yield Gap(position, position, "inner" if closes else "block")
                tag = f"/{name}" if closes else name
            position = match.end()
        else:
            if text[position] == " " and not verbatim:
                yield Gap(position, position + 1, "text")
            position += 1


def _in_translation(match: re.Match[str]) -> Iterator[Gap]:
    if "trimmed" not in match["with"].split():
        return
    start, body = match.start("body"), match["body"]
    taken = [(found.start(), found.end()) for found in _DJANGO.finditer(body)]
    yield Gap(start, start, "translation")
    for position, character in enumerate(body):
        inside = any(first <= position < last for first, last in taken)
        if character == " " and not inside and body[position + 1 : position + 2].strip():
            yield Gap(start + position, start + position + 1, "translation")


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--check", action="store_true", help="tell which lines are too long, and change nothing"
    )
    parser.add_argument("folders", nargs="*", type=Path)
    options = parser.parse_args(arguments)
    too_long = 0
    for folder in options.folders or [PROJECT / name for name in _FOLDERS]:
        for path in sorted(folder.rglob("*.html")):
            text = path.read_text()
            if not options.check and (better := wrapped(text)) != text:
                path.write_text(better)
                text = better
            for number, line in enumerate(text.splitlines(), 1):
                if len(line) > LONGEST:
                    too_long += 1
                    print(f"{path}:{number}: {len(line)} characters, at most {LONGEST}")
    return int(bool(too_long))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
