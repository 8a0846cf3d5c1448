"""Of which unit a page is asked for."""

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from django.http import Http404
from django.utils import timezone

from mailbox.requests import PersonRequest
from mailbox.statistics.departments.forms import FiguresForm
from mailbox.statistics.departments.periods import DAYS, Period
from mailbox.statistics.departments.units import Unit, unit_of, units_of


@dataclass(frozen=True, slots=True)
class Asked:
    """The unit and the period of a page, and the units that it can be had of."""

    units: Sequence[Unit]
    unit: Unit
    period: Period

    def query(self, unit_key: str = "", period: Period | None = None) -> str:
        """An address's parameters for this, or for another unit or period."""
        wanted = period or self.period
        values = {"unit": unit_key or self.unit.key, "period": wanted.kind}
        if wanted.kind == DAYS:
            values |= {"since": wanted.begins.isoformat(), "until": wanted.last.isoformat()}
        else:
            values["month"] = f"{wanted.begins:%Y-%m}"
        return urlencode(values)


def asked_for(request: PersonRequest, form: FiguresForm) -> Asked:
    """What the address asks for; 404 where it names a unit whose figures the person does not see."""
    units = units_of(request.user)
    return Asked(
        units, chosen_unit(units, form.understood()["unit"]), form.chosen_period(timezone.localdate())
    )


def chosen_unit(units: Sequence[Unit], key: str) -> Unit:
    """The unit that is named, or the first; 404 where it is none of these."""
    unit = unit_of(units, key)
    if unit is None:
        raise Http404
    return unit
