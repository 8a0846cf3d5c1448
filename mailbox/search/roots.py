"""The root that a word's forms share: PostgreSQL's Swedish stemmer, and what it leaves (migration `search`).

`kontoret` and `kontor`, `anmälan` and `anmälningar` have one root each. It is no word of the language, and
only compared with other roots.
"""

from collections.abc import Iterable
from typing import Final

from django.db import connection

_REMEMBERED: Final = 200_000
_known: dict[str, str] = {}


def roots_of(words: Iterable[str], *, remember: bool = True) -> dict[str, str]:
    """Each word's root; a word that says nothing by itself (och, att) has none and is left out.

    What will not be asked for again need not be remembered.
    """
    wanted = set(words)
    missing = [word for word in wanted if word not in _known]
    found = {word: _known[word] for word in wanted if word in _known}
    if missing:
        with connection.cursor() as cursor:
            cursor.execute("SELECT word, sdk_root(word) FROM unnest(%s::text[]) AS word", [missing])
            fresh = dict(cursor.fetchall())
        if remember:
            if len(_known) + len(fresh) > _REMEMBERED:
                _known.clear()
            _known.update(fresh)
        found.update(fresh)
    return {word: root for word, root in found.items() if root}
