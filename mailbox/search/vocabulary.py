"""Which words an organisation's messages hold, by their parts: for compounds, beginnings and misspellings.

Words are learned after the message's transaction, in the order of their keys: nothing waits long, and no two
processes wait for each other.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from django.db import connection

from ..models import VocabularyWord
from .hashes import BEGINNING, ENDING, ROOT, TRIGRAM, WORD, token, tokens
from .roots import roots_of

_SHORTEST_BEGINNING: Final = 3
_SHORTEST_ENDING: Final = 4
_LONGEST: Final = 40
_MOST_RELATIVES: Final = 150
_MOST_ALIKE: Final = 12
LEAST_ALIKE: Final = 0.4

# Words that share two trigrams that follow each other; of them those that share most of all.
_ALIKE: Final = """
SELECT root, shared::float / (cardinality(trigrams) + %(count)s - shared) AS likeness
FROM mailbox_vocabularyword, LATERAL (
  SELECT count(*) AS shared FROM unnest(trigrams) AS one WHERE one = ANY(%(trigrams)s)
) AS common
WHERE ({pairs}) AND shared::float / (cardinality(trigrams) + %(count)s - shared) >= %(least)s
ORDER BY likeness DESC, word LIMIT %(most)s
"""


def learn(participant: str, key: bytes, roots: Mapping[str, str]) -> None:
    """Add words with their roots; those that are known stay."""
    wanted = {token(key, WORD, word): word for word in roots if _is_word(word)}
    known = set(VocabularyWord.objects.filter(pk__in=wanted).values_list("pk", flat=True))
    fresh = sorted(wanted.keys() - known)
    folded = _folded([wanted[number] for number in fresh])
    ending_roots = roots_of({end for number in fresh for end in _endings(wanted[number])}, remember=False)
    VocabularyWord.objects.bulk_create(
        (
            VocabularyWord(
                word=number,
                root=token(key, ROOT, roots[wanted[number]]),
                participant_id=participant,
                parts=_parts(key, wanted[number], ending_roots),
                trigrams=tokens(key, TRIGRAM, trigrams_of(folded[wanted[number]])),
            )
            for number in fresh
        ),
        ignore_conflicts=True,
    )


def relatives(key: bytes, word: str, root: str) -> list[int]:
    """Hashed roots of the words that begin or end with this one."""
    asked = {token(key, BEGINNING, word), token(key, BEGINNING, root), token(key, ENDING, root)}
    rows = VocabularyWord.objects.filter(parts__overlap=sorted(asked))
    return list(rows.values_list("root", flat=True).distinct().order_by("root")[:_MOST_RELATIVES])


def alike(key: bytes, word: str) -> list[int]:
    """Hashed roots of the words that are spelt almost so, the most alike first."""
    wanted = tokens(key, TRIGRAM, trigrams_of(_folded([word])[word]))
    pairs = [wanted[place : place + 2] for place in range(len(wanted) - 1)]
    if not pairs or not _is_word(word):
        return []
    parameters: dict[str, Any] = {f"pair{place}": pair for place, pair in enumerate(pairs)}
    condition = " OR ".join(f"trigrams @> %({name})s::bigint[]" for name in parameters)
    parameters |= {"trigrams": wanted, "count": len(wanted), "least": LEAST_ALIKE, "most": _MOST_ALIKE}
    with connection.cursor() as cursor:
        cursor.execute(_ALIKE.replace("{pairs}", condition), parameters)
        return [row[0] for row in cursor.fetchall()]


def trigrams_of(word: str) -> list[str]:
    """Each three letters that follow each other, as pg_trgm has them, in the word's order."""
    padded = f"  {word} "
    return list(dict.fromkeys(padded[place : place + 3] for place in range(len(padded) - 2)))


def _parts(key: bytes, word: str, ending_roots: Mapping[str, str]) -> list[int]:
    """Its beginnings, and the roots of its endings: each of them may be a word of a compound."""
    beginnings = [word[:length] for length in range(_SHORTEST_BEGINNING, len(word))]
    endings = {ending_roots[end] for end in _endings(word) if end in ending_roots}
    return tokens(key, BEGINNING, beginnings) + tokens(key, ENDING, sorted(endings))


def _endings(word: str) -> list[str]:
    return [word[start:] for start in range(2, len(word) - _SHORTEST_ENDING + 1)]


def _is_word(word: str) -> bool:
    return word.isalpha() and _SHORTEST_BEGINNING <= len(word) <= _LONGEST


def _folded(words: Sequence[str]) -> dict[str, str]:
    """Without any accent: who misspells leaves out dots too."""
    if not words:
        return {}
    with connection.cursor() as cursor:
        cursor.execute("SELECT word, unaccent(word) FROM unnest(%s::text[]) AS word", [list(words)])
        return dict(cursor.fetchall())
