"""Made-up names, words and letters for a node of a realistic size: always the same for the same size."""

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
    """A text that messages hold, and the words in it."""

    subject: str
    text: str
    words: tuple[str, ...]


def words(count: int) -> list[str]:
    """Compounds, those that are asked for among the most common."""
    draw = random.Random(1)
    made = {"".join(draw.choices(_SYLLABLES, k=draw.randint(2, 5))) for _ in range(count * 3 // 2)}
    chosen = sorted(made - set(COMMON))[:count]
    draw.shuffle(chosen)
    return COMMON + chosen


def letters(count: int, known: list[str], *, length: int) -> list[Letter]:
    """Letters of words of which the common ones are common: a word's rank to the fourth power."""
    draw = random.Random(2)
    made = []
    for _ in range(count):
        said = [known[int(len(known) * draw.random() ** 4)] for _ in range(length)]
        sentences = [" ".join(said[at : at + 9]).capitalize() + "." for at in range(0, length, 9)]
        middle = len(sentences) // 2
        text = (
            f"Hej!\n\n{' '.join(sentences[:middle])}\n\n{' '.join(sentences[middle:])}\n\nMed vänlig hälsning"
        )
        made.append(Letter(" ".join(said[:4]).capitalize(), text, tuple(said)))
    return made


def organisations(count: int) -> list[tuple[str, str]]:
    """Participant ids with names."""
    draw = random.Random(3)
    places = sorted({"".join(draw.choices(_SYLLABLES, k=3)).capitalize() for _ in range(count * 3)})
    draw.shuffle(places)
    kinds = ("kommun", "region", "stiftelse", "omsorg AB")
    return [
        (f"0203:o{number}.example", f"{places[number % len(places)]} {kinds[number % 4]}")
        for number in range(count)
    ]


def functions(of: int) -> list[str]:
    """Names of one organisation's functions."""
    return [
        _KINDS[number]
        if number < len(_KINDS)
        else f"{_KINDS[number % len(_KINDS)]} {number // len(_KINDS) + 1}"
        for number in range(of)
    ]
