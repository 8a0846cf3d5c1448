"""Personal and coordination numbers, by the digits that they have."""

from datetime import date
from typing import Final

from django.utils import timezone

_COORDINATION_DAYS: Final = 60


def is_personal_number(text: str) -> bool:
    """Whether a text is a Swedish personal or coordination number of twelve digits, with or without a hyphen:
    a day that exists and has been, and a check digit (Luhn) over the last ten."""
    digits = "".join(text.split()).replace("-", "", 1)
    if not (len(digits) == 12 and digits.isascii() and digits.isdigit()):
        return False
    day = int(digits[6:8])
    try:
        born = date(
            int(digits[:4]), int(digits[4:6]), day - _COORDINATION_DAYS if day > _COORDINATION_DAYS else day
        )
    except ValueError:
        return False
    doubled = [int(digit) * (2 - place % 2) for place, digit in enumerate(digits[2:])]
    return (
        date(1850, 1, 1) < born <= timezone.localdate()
        and sum(number // 10 + number % 10 for number in doubled) % 10 == 0
    )
