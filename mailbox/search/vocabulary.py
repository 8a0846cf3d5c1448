"""The words of an organisation's messages, by their parts: for compounds, beginnings and misspellings.

Words are added after the message's transaction and in the order of their keys, so that processes do not block
each other.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from django.db import connection

from ..models import VocabularyWord
from .hashes import BEGINNING, ENDING, STEM, TRIGRAM, WORD, token, tokens
from .stems import stems_of

_SHORTEST_BEGINNING: Final = 3
_SHORTEST_ENDING: Final = 4
_LONGEST: Final = 40
_MOST_COMPOUNDS: Final = 150
_MOST_SIMILAR: Final = 12
LEAST_SIMILARITY: Final = 0.4

# Words that share two consecutive trigrams; of them those with the most trigrams in common.
_SIMILAR: Final = """
SELECT root, shared::float / (cardinality(trigrams) + %(count)s - shared) AS likeness
FROM mailbox_vocabularyword, LATERAL (
  SELECT count(*) AS shared FROM unnest(trigrams) AS trigram WHERE trigram = ANY(%(trigrams)s)
) AS common
WHERE ({pairs}) AND shared::float / (cardinality(trigrams) + %(count)s - shared) >= %(least)s
ORDER BY likeness DESC, word LIMIT %(most)s
"""


def add(participant: str, key: bytes, stems: Mapping[str, str]) -> None:
    """Add words with their stems; existing words stay."""
    wanted = {token(key, WORD, word): word for word in stems if _belongs_to_vocabulary(word)}
    known = set(VocabularyWord.objects.filter(pk__in=wanted).values_list("pk", flat=True))
    new = sorted(wanted.keys() - known)
    without_accents = _without_accents([wanted[number] for number in new])
    ending_stems = stems_of({end for number in new for end in _endings(wanted[number])}, remember=False)
    VocabularyWord.objects.bulk_create(
        (
            VocabularyWord(
                word=number,
                root=token(key, STEM, stems[wanted[number]]),
                participant_id=participant,
                parts=_parts(key, wanted[number], ending_stems),
                trigrams=tokens(key, TRIGRAM, trigrams_of(without_accents[wanted[number]])),
            )
            for number in new
        ),
        ignore_conflicts=True,
    )


def compounds_of(key: bytes, word: str, stem: str) -> list[int]:
    """Hashed stems of the words that begin or end with this one."""
    hashes = {token(key, BEGINNING, word), token(key, BEGINNING, stem), token(key, ENDING, stem)}
    rows = VocabularyWord.objects.filter(parts__overlap=sorted(hashes))
    return list(rows.values_list("root", flat=True).distinct().order_by("root")[:_MOST_COMPOUNDS])


def similar_to(key: bytes, word: str) -> list[int]:
    """Hashed stems of the words with a similar spelling, the most similar first."""
    wanted = tokens(key, TRIGRAM, trigrams_of(_without_accents([word])[word]))
    pairs = [wanted[start : start + 2] for start in range(len(wanted) - 1)]
    if not pairs or not _belongs_to_vocabulary(word):
        return []
    parameters: dict[str, Any] = {f"pair{start}": pair for start, pair in enumerate(pairs)}
    condition = " OR ".join(f"trigrams @> %({name})s::bigint[]" for name in parameters)
    parameters |= {"trigrams": wanted, "count": len(wanted), "least": LEAST_SIMILARITY, "most": _MOST_SIMILAR}
    with connection.cursor() as cursor:
        cursor.execute(_SIMILAR.replace("{pairs}", condition), parameters)
        return [row[0] for row in cursor.fetchall()]


def trigrams_of(word: str) -> list[str]:
    """The trigrams of a word as pg_trgm forms them, in their order."""
    padded = f"  {word} "
    return list(dict.fromkeys(padded[start : start + 3] for start in range(len(padded) - 2)))


def _parts(key: bytes, word: str, ending_stems: Mapping[str, str]) -> list[int]:
    """Hashes of its beginnings and of the stems of its endings: each may be part of a compound."""
    beginnings = [word[:length] for length in range(_SHORTEST_BEGINNING, len(word))]
    endings = {ending_stems[end] for end in _endings(word) if end in ending_stems}
    return tokens(key, BEGINNING, beginnings) + tokens(key, ENDING, sorted(endings))


def _endings(word: str) -> list[str]:
    return [word[start:] for start in range(2, len(word) - _SHORTEST_ENDING + 1)]


def _belongs_to_vocabulary(word: str) -> bool:
    return word.isalpha() and _SHORTEST_BEGINNING <= len(word) <= _LONGEST


def _without_accents(words: Sequence[str]) -> dict[str, str]:
    """Each word without accents and dots, which misspelt words often lack."""
    if not words:
        return {}
    with connection.cursor() as cursor:
        cursor.execute("SELECT word, unaccent(word) FROM unnest(%s::text[]) AS word", [list(words)])
        return dict(cursor.fetchall())
