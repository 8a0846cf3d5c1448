"""Finding a function by what people type: any order, Swedish stems, beginnings of words, misspellings.

Two searches over one row a function: full text with Swedish stems (names weigh more than descriptions), and
trigrams of the names for what the first did not find. Accents count for neither.
"""

import re
from dataclasses import dataclass
from typing import Any, Final

from django.db import connection
from django.db.models import QuerySet

from .models import FunctionAddress

CONFIGURATION: Final = "sdk_swedish"
MINIMUM_LENGTH: Final = 2
_MAX_WORDS: Final = 8
_MAX_LENGTH: Final = 100
_LIKENESSES: Final = (0.6, 0.4)


@dataclass(frozen=True, slots=True)
class Hit:
    """A function that was found."""

    function: FunctionAddress
    is_exact: bool


_REFRESH: Final = """
UPDATE addressbook_functionaddress AS f SET
  words = setweight(to_tsvector('sdk_swedish', f.name), 'A')
       || setweight(to_tsvector('sdk_swedish', o.name || ' ' || o.alternate_name), 'A')
       || setweight(to_tsvector('sdk_swedish', concat_ws(' ',
              (SELECT string_agg(value, ' ') FROM jsonb_array_elements_text(f.categories)),
              (SELECT string_agg(value, ' ') FROM jsonb_array_elements_text(f.search_words)))), 'B')
       || setweight(to_tsvector('sdk_swedish', f.description), 'C')
       -- Words as they are written, so that their beginnings are found while somebody types.
       || setweight(to_tsvector('sdk_simple', f.name || ' ' || o.name || ' ' || o.alternate_name), 'D'),
  spelling = lower(unaccent(concat_ws(' ', f.name, o.name, o.alternate_name,
              (SELECT string_agg(value, ' ') FROM jsonb_array_elements_text(f.categories)),
              (SELECT string_agg(value, ' ') FROM jsonb_array_elements_text(f.search_words)))))
FROM addressbook_organisation AS o
WHERE o.id = f.organisation_id AND f.id = ANY(%s)
"""

# Ranking is what costs, so it is done for so many only: those whose name begins with the question are among
# them, and whoever asks for what more functions have than these has to say more anyhow.
_RANKED: Final = 1_000
_SEARCH: Final = """
WITH candidates AS (
  (SELECT id, name, spelling, words FROM addressbook_functionaddress
   WHERE gone_at IS NULL AND left(spelling, 100) LIKE %(begins)s
   -- In the order that the index has.
   ORDER BY left(spelling, 100) USING ~<~, id LIMIT %(ranked)s)
  UNION ALL
  (SELECT id, name, spelling, words FROM addressbook_functionaddress
   WHERE gone_at IS NULL AND words @@ ({condition}) LIMIT %(ranked)s)
)
-- What both found is ranked twice, which costs less than looking for it.
SELECT id, max(ts_rank('{0.1, 0.2, 0.5, 1.0}', words, to_tsquery('sdk_swedish', %(stems)s) ||
       to_tsquery('sdk_simple', %(stems)s))
       + CASE WHEN spelling LIKE %(begins)s
                   THEN CASE WHEN lower(unaccent(name)) = %(spelling)s THEN 2 ELSE 1 END
              WHEN spelling LIKE '%%' || %(spelling)s || '%%' THEN 0.5 ELSE 0 END) AS rank
FROM candidates GROUP BY id ORDER BY rank DESC, id LIMIT %(limit)s
"""
_ALIKE: Final = """
SELECT id FROM (
  SELECT id, word_similarity(%(spelling)s, spelling) AS rank FROM addressbook_functionaddress
  WHERE gone_at IS NULL AND %(spelling)s <%% spelling LIMIT %(ranked)s
) AS alike WHERE NOT id = ANY(%(found)s) ORDER BY rank DESC, id LIMIT %(limit)s
"""


def search(text: str, *, limit: int = 20) -> list[Hit]:
    """The functions that fit best, the most likely first; nothing for less than two characters."""
    words = _words(text)
    if not words:
        return []
    condition, parameters = _condition(words)
    with connection.cursor() as cursor:
        cursor.execute("SELECT lower(unaccent(%s))", [" ".join(words)])
        spelling = cursor.fetchone()[0]
        parameters |= {"spelling": spelling, "begins": f"{spelling}%", "limit": limit, "ranked": _RANKED}
        cursor.execute(_SEARCH.replace("{condition}", condition), parameters)
        exact = [key for key, _ in cursor.fetchall()]
        alike = _alike(cursor, parameters, exact) if len(exact) < limit else []
    rows = FunctionAddress.objects.select_related("organisation").in_bulk(exact + alike)
    return [Hit(rows[key], key in exact) for key in exact + alike if key in rows]


def _alike(cursor: Any, parameters: dict[str, Any], found: list[int]) -> list[int]:
    """Those that are spelt alike: very much so, else somewhat."""
    room = parameters["limit"] - len(found)
    for likeness in _LIKENESSES:
        cursor.execute("SELECT set_config('pg_trgm.word_similarity_threshold', %s, false)", [str(likeness)])
        cursor.execute(_ALIKE, parameters | {"found": found, "limit": room})
        alike = [key for (key,) in cursor.fetchall()]
        if alike:
            return alike
    return []


def refresh_search_columns(functions: QuerySet[FunctionAddress]) -> None:
    """Write what search looks at, for these rows; in the caller's transaction."""
    keys = list(functions.values_list("pk", flat=True))
    if keys:
        with connection.cursor() as cursor:
            cursor.execute(_REFRESH, [keys])


def _words(text: str) -> list[str]:
    """The words of a question: letters and digits, at most eight; none where the whole is too short."""
    words = re.findall(r"[\w]+", text[:_MAX_LENGTH].replace("_", " "))[:_MAX_WORDS]
    return words if len("".join(words)) >= MINIMUM_LENGTH else []


def _condition(words: list[str]) -> tuple[str, dict[str, Any]]:
    """Every word has to be found, by its stem or as the beginning of a word, in any order."""
    pieces = []
    parameters: dict[str, Any] = {}
    for number, word in enumerate(words):
        parameters[f"stem{number}"] = word
        parameters[f"begin{number}"] = f"{word}:*"
        stem, begin = f"%(stem{number})s", f"%(begin{number})s"
        pieces.append(f"(plainto_tsquery('sdk_swedish', {stem}) || to_tsquery('sdk_simple', {begin}))")
    parameters["stems"] = " | ".join(f"{word}:*" for word in words)
    return " && ".join(pieces), parameters
