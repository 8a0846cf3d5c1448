"""How lists tell when something happened."""

from datetime import datetime, timedelta

from django import template
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

register = template.Library()


@register.filter
def age(at: datetime) -> str:
    """The time of today, "yesterday", the day of this year, or the day and the year."""
    local, today = timezone.localtime(at), timezone.localdate()
    if local.date() == today:
        return date_format(local, "H:i")
    if local.date() == today - timedelta(days=1):
        return _("i går")
    return date_format(local, "j N" if local.year == today.year else "j N Y")
