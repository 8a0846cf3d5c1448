"""`auth_id`: which function addresses a client may see and act for (B1.4.2, "Behörighetsstyrande attribut").

`*` stands for any characters, also none; everything else stands for itself, in the case that it is in.
"""

import re
from collections.abc import Iterable

from django.db.models import Q


def matches(patterns: Iterable[str], function_address: str) -> bool:
    """Whether any of the patterns allows the function address."""
    return any(re.fullmatch(_expression(pattern), function_address, re.DOTALL) for pattern in patterns)


def matching(column: str, patterns: Iterable[str]) -> Q:
    """The same as a condition on a column; no pattern matches nothing."""
    found = Q(pk__in=[])
    for pattern in patterns:
        found |= Q(**{f"{column}__regex": f"^(?:{_expression(pattern)})$"})
    return found


def _expression(pattern: str) -> str:
    return ".*".join(re.escape(part) for part in pattern.split("*"))
