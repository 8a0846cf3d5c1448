"""Made-up names, words and texts for a node of realistic size: the same on every run for the same size."""

import random
from dataclasses import dataclass
from typing import Final

_SYLLABLES: Final = [
    "so",
    "ci",
    "al",
    "kon",
    "tor",
    "an",
    "mäl",
    "ut",
    "red",
    "ning",
    "barn",
    "vård",
    "plan",
    "lä",
    "kar",
    "in",
    "tyg",
    "be",
    "slut",
    "fa",
    "milj",
    "hem",
    "stöd",
    "för",
    "sam",
    "tal",
    "mö",
    "te",
    "skol",
    "elev",
    "häl",
    "sa",
    "om",
    "sorg",
    "per",
    "son",
    "num",
    "mer",
    "dag",
    "ar",
    "bet",
    "trä",
]
COMMON: Final = [
    "socialkontoret",
    "anmälan",
    "orosanmälan",
    "utredning",
    "beslut",
    "svensson",
    "kallelse",
    "vårdplanering",
]
_KINDS: Final = [
    "Socialtjänsten, mottagning",
    "Elevhälsan",
    "Barn och familj",
    "Ekonomiskt bistånd",
    "Äldreomsorgen",
    "Hemsjukvården",
    "Överförmyndaren",
    "Budget- och skuldrådgivning",
    "Färdtjänst",
    "Missbruk och beroende",
    "Bygglov",
    "Miljötillsyn",
    "Vårdplanering",
    "Rehabilitering",
    "Funktionsstöd",
    "Arbetsmarknadsenheten",
    "Skolskjuts",
    "Registrator",
    "Familjerätten",
    "Ungdomsmottagningen",
]
CATEGORIES: Final = tuple(f"Verksamhet {number:02d}" for number in range(1, 41))
FIRST_NAMES: Final = [
    "Karin",
    "Ahmed",
    "Eva",
    "Nils",
    "Fatima",
    "Björn",
    "Åsa",
    "Erik",
    "Margareta",
    "Zlatan",
    "Gunilla",
    "André",
]
LAST_NAMES: Final = [
    "Svensson",
    "Lindqvist",
    "Holm",
    "Granberg",
    "Åkerström",
    "Öberg",
    "Möller",
    "Ekström",
    "Nilsson",
    "Bergström",
]


@dataclass(frozen=True, slots=True)
class Letter:
    """A subject and a text of a message, and the words in them."""

    subject: str
    text: str
    words: tuple[str, ...]


def words(count: int) -> list[str]:
    """Made-up compound words, after `COMMON`, which the benchmarks search for."""
    rng = random.Random(1)
    made = {"".join(rng.choices(_SYLLABLES, k=rng.randint(2, 5))) for _ in range(count * 3 // 2)}
    chosen = sorted(made - set(COMMON))[:count]
    rng.shuffle(chosen)
    return COMMON + chosen


def letters(count: int, known: list[str], *, length: int) -> list[Letter]:
    """Texts of so many words; words at the beginning of `known` occur more often than those at the end."""
    rng = random.Random(2)
    made = []
    for _ in range(count):
        chosen_words = [known[int(len(known) * rng.random() ** 4)] for _ in range(length)]
        sentences = [" ".join(chosen_words[at : at + 9]).capitalize() + "." for at in range(0, length, 9)]
        middle = len(sentences) // 2
        text = (
            f"Hej!\n\n{' '.join(sentences[:middle])}\n\n{' '.join(sentences[middle:])}\n\nMed vänlig hälsning"
        )
        made.append(Letter(" ".join(chosen_words[:4]).capitalize(), text, tuple(chosen_words)))
    return made


def organisations(count: int) -> list[tuple[str, str]]:
    """Participant ids and names of organisations."""
    rng = random.Random(3)
    places = sorted({"".join(rng.choices(_SYLLABLES, k=3)).capitalize() for _ in range(count * 3)})
    rng.shuffle(places)
    kinds = ("kommun", "region", "stiftelse", "omsorg AB")
    return [
        (f"0203:o{number}.example", f"{places[number % len(places)]} {kinds[number % 4]}")
        for number in range(count)
    ]


def functions(count: int) -> list[str]:
    """Names of an organisation's functions, as many as asked for."""
    return [
        _KINDS[number]
        if number < len(_KINDS)
        else f"{_KINDS[number % len(_KINDS)]} {number // len(_KINDS) + 1}"
        for number in range(count)
    ]
