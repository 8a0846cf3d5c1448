"""What departments and mailboxes cost in a year, and the price lists that say so."""

from collections.abc import Iterator
from typing import Final
from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from mailbox import access, access_log
from mailbox.administration.views.guards import administrator_required, figures_reader_required
from mailbox.administration.views.layout import chosen_organisation, organisations_of, page
from mailbox.forms import first_errors
from mailbox.requests import PersonRequest
from mailbox.statistics.departments import prices
from mailbox.statistics.departments.costs import Costs, costs_of
from mailbox.statistics.departments.forms import CostsForm, PriceListChangeForm, PriceListForm
from mailbox.statistics.departments.in_words import kronor
from mailbox.statistics.departments.units import Unit, units_of
from mailbox.streaming import csv_response

from .asked import chosen_unit

_YEARS: Final = 6


@figures_reader_required
@require_safe
def costs(request: PersonRequest) -> HttpResponse:
    """What an organisation or a department costs in a year, by its parts."""
    units, unit, year = _asked(request)
    found = costs_of(unit, year)
    this_year = timezone.localdate().year
    years = {*range(this_year, this_year - _YEARS, -1), year}
    context = {
        "units": units,
        "unit": unit,
        "costs": found,
        "rows": [
            (row, urlencode({"unit": row.unit_key, "year": year}) if row.unit_key else "")
            for row in found.parts
        ],
        "years": sorted(years, reverse=True),
        "is_running": year >= this_year,
        "query": urlencode({"unit": unit.key, "year": year}),
    }
    return page(request, "statistics/costs.html", context)


@figures_reader_required
@require_safe
def costs_file(request: PersonRequest) -> StreamingHttpResponse:
    """The costs of each mailbox as CSV for a finance system, with a decimal comma."""
    _units, unit, year = _asked(request)
    access_log.record(request.user, "statistics-exported", unit.participant_id)
    header = ["year", "organisation", "department", "mailbox", "function_address", "arrived", "sent"]
    header += ["mailbox_fee", "arrived_cost", "sent_cost", "total"]
    return csv_response(request, f"kostnader-{year}", header, _file_rows(unit, costs_of(unit, year)))


@administrator_required
@require_http_methods(["GET", "HEAD", "POST"])
def price_lists(request: PersonRequest) -> HttpResponse:
    """The price lists of the organisations that the person administers; POST adds one."""
    organisations = organisations_of(access.administered_by(request.user))
    form = PriceListForm(request.POST if request.method == "POST" else None)
    if form.is_bound:
        form.full_clean()
        organisation = (
            organisations[0] if len(organisations) == 1 else chosen_organisation(form, organisations)
        )
        if organisation is not None and form.is_valid():
            given = form.cleaned_data
            try:
                prices.add(
                    request.user,
                    organisation.participant_id,
                    given["begins_on"],
                    given["ends_on"],
                    form.amounts(),
                )
            except prices.EndsTooEarly:
                form.add_error("ends_on", _("Ange en dag som inte är före den första."))
            except prices.Overlap:
                form.add_error("begins_on", _overlap_text())
            else:
                messages.success(request, _("Prislistan är sparad."))
                return redirect("price-lists")
    names = {row.participant_id: row.name for row in organisations}
    rows = access.price_lists_of(request.user).order_by("participant_id", "-begins_on")
    context = {
        "rows": [(row, names.get(row.participant_id, "")) for row in rows],
        "organisations": organisations,
        "given": form.data,
        "errors": first_errors(form),
    }
    return page(request, "statistics/price_lists.html", context, status=422 if form.is_bound else 200)


@administrator_required
@require_POST
def change_price_list(request: PersonRequest, price_list_id: int) -> HttpResponse:
    """End a price list on a day, or remove it."""
    row = get_object_or_404(access.price_lists_of(request.user), pk=price_list_id)
    form = PriceListChangeForm(request.POST)
    if not form.is_valid():
        messages.error(request, next(iter(first_errors(form).values())))
    elif form.cleaned_data["action"] == "remove":
        prices.remove(request.user, row)
        messages.success(request, _("Prislistan är borttagen."))
    else:
        try:
            prices.set_end(request.user, row, form.cleaned_data["ends_on"])
        except prices.EndsTooEarly:
            messages.error(request, _("Ange en dag som inte är före den första."))
        except prices.Overlap:
            messages.error(request, _overlap_text())
        else:
            messages.success(request, _("Prislistan är sparad."))
    return redirect("price-lists")


def _overlap_text() -> str:
    return _("En annan prislista gäller någon av dagarna. Avsluta den först.")


def _asked(request: PersonRequest) -> tuple[list[Unit], Unit, int]:
    given = CostsForm(request.GET).understood()
    units = units_of(request.user)
    return units, chosen_unit(units, given["unit"]), given["year"] or timezone.localdate().year


def _file_rows(unit: Unit, found: Costs) -> Iterator[list[object]]:
    if found.fee is not None:
        fee = kronor(found.fee)
        yield [found.year, unit.participant_id, "", "", "", "", "", fee, "", "", fee]
    for row in found.mailboxes:
        cost = row.cost
        amounts = (cost.fee, cost.received, cost.delivered, cost.total)
        yield [
            found.year,
            unit.participant_id,
            " / ".join(row.path),
            row.name,
            row.address,
            cost.arrived,
            cost.sent,
            *map(kronor, amounts),
        ]
