"""Figures of departments as people say them."""

from decimal import Decimal

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from mailbox.daily_figures.steps import BEYOND, BOUNDS


def bound_in_words(hours: int) -> str:
    """Within how many staffed hours, or beyond the largest bound."""
    if hours == BEYOND:
        return _("över %(n)d timmar") % {"n": BOUNDS[-1]}
    return ngettext("inom %(n)d timme", "inom %(n)d timmar", hours) % {"n": hours}


def change_in_words(now: int, before: int) -> str:
    """How a number has changed, in per cent of what it was; a dash where there was nothing."""
    if not before:
        return "–"
    per_cent = round((now - before) * 100 / before)
    sign = "+" if per_cent > 0 else "−" if per_cent < 0 else "±"
    return f"{sign}{abs(per_cent)} %"


def kronor(amount: Decimal) -> str:
    """An amount as finance systems read it: with a decimal comma, and nothing between thousands."""
    return f"{amount:.2f}".replace(".", ",")
