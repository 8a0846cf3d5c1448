"""The stem that the forms of a word share: PostgreSQL's Swedish stemmer, and rules of ours (migration
`search`).

`kontoret` and `kontor`, `anmälan` and `anmälningar` have one stem each. A stem need not be a word; it is
only compared with other stems.
"""

from collections.abc import Iterable
from typing import Final

from django.db import connection

_MOST_CACHED: Final = 200_000
_cache: dict[str, str] = {}


def stems_of(words: Iterable[str], *, remember: bool = True) -> dict[str, str]:
    """Each word's stem; stop words (och, att) have none and are left out.

    `remember` keeps the stems in this process for the next call.
    """
    wanted = set(words)
    missing = [word for word in wanted if word not in _cache]
    found = {word: _cache[word] for word in wanted if word in _cache}
    if missing:
        with connection.cursor() as cursor:
            cursor.execute("SELECT word, sdk_root(word) FROM unnest(%s::text[]) AS word", [missing])
            fresh = dict(cursor.fetchall())
        if remember:
            if len(_cache) + len(fresh) > _MOST_CACHED:
                _cache.clear()
            _cache.update(fresh)
        found.update(fresh)
    return {word: stem for word, stem in found.items() if stem}
