"""Markdown for people: exactly the codes that B1.3.3 4.3.3.2 lists, then sanitised.

Headers, bold, italic, bullets, numbers, paragraphs and line breaks; nothing else has a meaning, so a
stranger's text can neither link nor load anything. A single line end is shown as one, whoever wrote it; what
we send has the two spaces before it that make it one in everybody's Markdown (`with_hard_breaks`).
"""

import re
from typing import Final

import nh3
from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt

from transport.names import contained

_RULES: Final = ("heading", "list", "emphasis", "newline", "hr", "escape", "entity")
_TAGS: Final = {"h3", "h4", "h5", "h6", "p", "strong", "em", "ul", "ol", "li", "br", "hr"}

# A heading's signs and those around bold and italic. No star stands between two of a pair: so the time that
# it takes grows with the text's length only.
_HEADING: Final = re.compile(r"^[ \t]{0,3}#{1,6}[ \t]+", re.MULTILINE)
_EMPHASIS: Final = re.compile(r"(\*{1,3})(?=[^\s*])([^*\n]+)(?<=\S)\1")

_parser = MarkdownIt("zero", {"breaks": True, "html": False}).enable(list(_RULES))


def render(text: str) -> SafeString:
    """The text as HTML that may stand in a page. Its headings begin below the page's own."""
    tokens = _parser.parse(contained(text))
    for token in tokens:
        if token.type in {"heading_open", "heading_close"}:
            level = min(int(token.tag[1]) + 2, 6)
            token.tag = f"h{level}"
    html = _parser.renderer.render(tokens, _parser.options, {})
    return mark_safe(nh3.clean(html, tags=_TAGS, attributes={"ol": {"start"}}, link_rel=None))  # noqa: S308


def with_hard_breaks(text: str) -> str:
    """The text with each line end in a paragraph as B1.3.3 4.3.3.2 has it: two spaces, then return."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return "\n".join(
        f"{line.rstrip()}  " if line.strip() and following.strip() else line
        for line, following in zip(lines, [*lines[1:], ""], strict=True)
    )


def without_marks(text: str) -> str:
    """The text as it is read in a line of a list: words, without the signs of headings, bold and italic."""
    return _EMPHASIS.sub(r"\2", _HEADING.sub("", contained(text)))
