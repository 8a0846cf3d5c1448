"""`auth_id`: which function addresses a client may see and act for (B1.4.2, "Behörighetsstyrande attribut").

`*` stands for any characters, also none; everything else stands for itself, in the case that it is in.
"""

import re
from collections.abc import Iterable
from typing import Final

from django.db.models import Q

# More tell nothing that fewer do not, and the database tries every place for each.
MOST_STARS: Final = 3


def is_pattern(text: str) -> bool:
    """Whether a text may be given to a client as a pattern."""
    return _joined(text).count("*") <= MOST_STARS


def matches(patterns: Iterable[str], function_address: str) -> bool:
    """Whether any of the patterns allows the function address; one that is none allows nothing."""
    return any(is_pattern(pattern) and _matches(_joined(pattern), function_address) for pattern in patterns)


def matching(column: str, patterns: Iterable[str]) -> Q:
    """The same as a condition on a column; no pattern matches nothing."""
    found = Q(pk__in=[])
    for pattern in patterns:
        if is_pattern(pattern):
            expression = ".*".join(re.escape(part) for part in _joined(pattern).split("*"))
            found |= Q(**{f"{column}__regex": f"^(?:{expression})$"})
    return found


def _matches(pattern: str, text: str) -> bool:
    """Each part is looked for where the part before it ended first: that is never worse than further on, so
    nothing is tried twice."""
    first, *parts = pattern.split("*")
    if not parts:
        return text == first
    last = parts.pop()
    if len(text) < len(first) + len(last) or not text.startswith(first) or not text.endswith(last):
        return False
    position, end = len(first), len(text) - len(last)
    for part in parts:
        found = text.find(part, position, end)
        if found < 0:
            return False
        position = found + len(part)
    return True


def _joined(pattern: str) -> str:
    """Stars beside each other say what one says."""
    while "**" in pattern:
        pattern = pattern.replace("**", "*")
    return pattern
