"""Lengths of time in words."""

from datetime import timedelta

from django import template
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from mailbox.workplace.capped_count import in_figures

register = template.Library()
register.filter("in_figures", in_figures)


@register.filter
def in_hours(length: timedelta) -> str:
    """Working time in few letters: minutes below an hour, then hours, as a working day is no day."""
    minutes = int(length.total_seconds() / 60)
    if minutes < 60:
        return _("%(n)d min") % {"n": minutes}
    return _("%(n)d tim") % {"n": minutes // 60}


@register.filter
def in_words(length: timedelta | None) -> str:
    """A length as people say it: minutes below an hour, hours below two days, then days."""
    if length is None:
        return "–"
    minutes = round(length.total_seconds() / 60)
    if minutes < 1:
        return _("under en minut")
    if minutes < 60:
        return ngettext("%(n)d minut", "%(n)d minuter", minutes) % {"n": minutes}
    hours = round(minutes / 60)
    if hours < 48:
        return ngettext("%(n)d timme", "%(n)d timmar", hours) % {"n": hours}
    days = round(hours / 24)
    return ngettext("%(n)d dag", "%(n)d dagar", days) % {"n": days}
