"""Staffed hours of mailboxes, and those that an organisation's mailboxes have by default."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy
from django.views.decorators.http import require_http_methods, require_safe

from mailbox import access
from mailbox.administration.views.guards import administrator_required, manager_required
from mailbox.administration.views.layout import organisations_of, page
from mailbox.forms import first_errors
from mailbox.models import FunctionMailbox, StaffedHours
from mailbox.requests import PersonRequest
from mailbox.staffed_hours import calendars, duty_lists, time_limits
from mailbox.staffed_hours.calendar import Calendar
from mailbox.staffed_hours.calendars import Owner
from mailbox.staffed_hours.time_limits import Kind, Levels
from transport.message_service.api import Organisation

from .forms import WEEKDAYS, DutyForm, ExceptionForm, HoursActionForm, LevelsForm, WeekForm, hours_text
from .preview import preview_of

_USUAL_MINUTES: Final = 30
_DUTY_FIELDS: Final[Mapping[str, str | Promise]] = {
    "first": lazy("Får veta först"),
    "second": lazy("Får veta sedan"),
    "third": lazy("Får veta sist"),
}


@dataclass(frozen=True, slots=True)
class HoursRow:
    """A mailbox in the overview: whether its hours are its own, its organisation's, or not set."""

    mailbox: FunctionMailbox
    source: str
    today: str


@dataclass(frozen=True, slots=True)
class ExceptionRow:
    """An exception as the page shows it."""

    key: int
    day: date
    hours: str
    note: str


@dataclass(frozen=True, slots=True)
class DutyChoices:
    """The form of a duty list: its fields with label and chosen key, the members (key, name, whether they
    have a mail address), and the minutes."""

    fields: list[tuple[str, str | Promise, str]]
    members: list[tuple[str, str, bool]]
    minutes: str


@dataclass(slots=True)
class _Pressed:
    """What is wrong with what was sent, and the forms to show again."""

    errors: Mapping[str, str]
    week: WeekForm | None = None
    exception: ExceptionForm | None = None
    levels: LevelsForm | None = None
    duty: DutyForm | None = None
    is_done: bool = False


@manager_required
@require_safe
def overview(request: PersonRequest) -> HttpResponse:
    """The mailboxes with today's hours, and the organisations whose default hours the person sets."""
    boxes = list(access.managed_by(request.user).order_by("name", "pk"))
    found = calendars.calendars_of(boxes)
    own = set(StaffedHours.objects.filter(mailbox__in=boxes).values_list("mailbox", flat=True))
    today = timezone.localdate()
    rows = [
        HoursRow(
            box,
            "own" if box.pk in own else "default" if box.pk in found else "",
            hours_text(found[box.pk].hours_on(today)) if box.pk in found else "",
        )
        for box in boxes
    ]
    organisations = organisations_of(access.administered_by(request.user))
    return page(request, "staffed_hours/overview.html", {"rows": rows, "organisations": organisations})


@manager_required
@require_http_methods(["GET", "HEAD", "POST"])
def mailbox_hours(request: PersonRequest, mailbox_id: int) -> HttpResponse:
    """The hours of a mailbox; POST changes them, or goes back to the organisation's."""
    box = get_object_or_404(access.managed_by(request.user), pk=mailbox_id)
    inherited = calendars.own_row(Owner(box.participant_id))
    return _hours_page(
        request,
        Owner(box.participant_id, box),
        reverse("administration-mailbox-hours", args=[box.pk]),
        inherited,
    )


@administrator_required
@require_http_methods(["GET", "HEAD", "POST"])
def default_hours(request: PersonRequest, own_organisation_id: int) -> HttpResponse:
    """The hours of an organisation's mailboxes that have none of their own; POST changes them."""
    rows = Organisation.objects.filter(participant_id__in=access.administered_by(request.user))
    organisation = get_object_or_404(rows, pk=own_organisation_id)
    url = reverse("administration-default-hours", args=[organisation.pk])
    return _hours_page(request, Owner(organisation.participant_id), url, None, organisation=organisation)


def _hours_page(
    request: PersonRequest,
    owner: Owner,
    url: str,
    inherited: StaffedHours | None,
    *,
    organisation: Organisation | None = None,
) -> HttpResponse:
    own = calendars.own_row(owner)
    pressed = _Pressed({})
    if request.method == "POST":
        pressed = _press(request, owner)
        if pressed.is_done:
            return redirect(url)
    row = own or inherited
    calendar = calendars.calendar_from(row) if row is not None else Calendar()
    shown = calendar
    if pressed.week is not None and pressed.week.is_valid():
        shown = pressed.week.calendar(calendar.exceptions)
    exceptions = list(row.exceptions.all()) if row is not None else []
    today = timezone.localdate()
    context: dict[str, Any] = {
        "mailbox": owner.mailbox,
        "organisation": organisation,
        "has_own": own is not None,
        "has_default": inherited is not None,
        "is_set": row is not None,
        "given": pressed.week.data if pressed.week is not None else WeekForm.values_of(calendar),
        "given_exception": pressed.exception.data if pressed.exception is not None else {},
        "given_levels": (
            pressed.levels.data
            if pressed.levels is not None
            else LevelsForm.values_of(_levels_of(owner.mailbox))
        ),
        "duty": _duty_choices(owner.mailbox, pressed) if owner.mailbox is not None else None,
        "errors": pressed.errors,
        "preview": preview_of(shown, today, {each.day: each.note for each in exceptions}),
        "is_unsaved": shown is not calendar,
        "exceptions": [
            ExceptionRow(each.pk, each.day, hours_text(calendars.hours_from(each.hours)), each.note)
            for each in exceptions
            if each.day >= today
        ],
    }
    given = context["given"]
    context["days"] = [
        (name, text, given.get(name, ""), pressed.errors.get(name, "")) for name, text in WEEKDAYS.items()
    ]
    return page(request, "staffed_hours/hours.html", context, status=422 if pressed.errors else 200)


def _press(request: PersonRequest, owner: Owner) -> _Pressed:
    """Do what the button says."""
    form = HoursActionForm(request.POST)
    form.full_clean()
    action = form.cleaned_data.get("action") or "save"
    presses: Mapping[str, Callable[[], _Pressed]] = {
        "save": lambda: _save(request, owner, is_preview=False),
        "preview": lambda: _save(request, owner, is_preview=True),
        "remove": lambda: _remove(request, owner),
        "levels": lambda: _set_levels(request, owner.mailbox),
        "duty": lambda: _set_duty_list(request, owner.mailbox),
        "add-exception": lambda: _add_exception(request, owner),
        "remove-exception": lambda: _remove_exception(request, owner, form.cleaned_data.get("exception")),
    }
    if action not in presses:
        raise Http404
    return presses[action]()


def _save(request: PersonRequest, owner: Owner, *, is_preview: bool) -> _Pressed:
    form = WeekForm(request.POST)
    if not form.is_valid() or is_preview:
        return _Pressed(first_errors(form), week=form)
    calendars.save(request.user, owner, form.calendar({}))
    messages.success(request, _("Tiderna är sparade."))
    return _Pressed({}, is_done=True)


def _levels_of(mailbox: FunctionMailbox | None) -> Levels:
    return time_limits.levels_of([mailbox.pk]).get(mailbox.pk, {}) if mailbox is not None else {}


def _set_levels(request: PersonRequest, mailbox: FunctionMailbox | None) -> _Pressed:
    if mailbox is None:
        raise Http404
    form = LevelsForm(request.POST)
    if not form.is_valid():
        return _Pressed(first_errors(form), levels=form)
    time_limits.set_levels(request.user, mailbox, {kind: form.cleaned_data[kind] for kind in Kind})
    messages.success(request, _("Tidsgränserna är sparade."))
    return _Pressed({}, is_done=True)


def _set_duty_list(request: PersonRequest, mailbox: FunctionMailbox | None) -> _Pressed:
    if mailbox is None:
        raise Http404
    form = DutyForm(request.POST)
    if not form.is_valid():
        return _Pressed(first_errors(form), duty=form)
    members = access.members_of(mailbox).in_bulk(form.chosen())
    if len(members) < len(form.chosen()):
        return _Pressed({"first": _("Välj personer som är medlemmar i brevlådan.")}, duty=form)
    people = [members[key] for key in form.chosen()]
    duty_lists.set_duty_list(request.user, mailbox, people, form.cleaned_data["minutes"])
    messages.success(request, _("Jouren är sparad."))
    return _Pressed({}, is_done=True)


def _duty_choices(mailbox: FunctionMailbox, pressed: _Pressed) -> DutyChoices:
    row = duty_lists.duty_list_of(mailbox)
    chosen: list[object] = [each.person_id for each in row.people.all()] if row is not None else []
    minutes: object = row.escalate_after_minutes if row is not None else _USUAL_MINUTES
    if pressed.duty is not None:
        chosen = [pressed.duty.data.get(name) for name in _DUTY_FIELDS]
        minutes = pressed.duty.data.get("minutes")
    chosen += [None] * (len(_DUTY_FIELDS) - len(chosen))
    return DutyChoices(
        fields=[
            (name, text, str(key or ""))
            for (name, text), key in zip(_DUTY_FIELDS.items(), chosen, strict=True)
        ],
        members=[
            (str(person.pk), person.name, bool(person.mail_address)) for person in access.members_of(mailbox)
        ],
        minutes=str(minutes or ""),
    )


def _remove(request: PersonRequest, owner: Owner) -> _Pressed:
    calendars.remove(request.user, owner)
    messages.success(
        request,
        _("Brevlådan följer organisationens tider.") if owner.mailbox else _("Tiderna är borttagna."),
    )
    return _Pressed({}, is_done=True)


def _add_exception(request: PersonRequest, owner: Owner) -> _Pressed:
    form = ExceptionForm(request.POST)
    if not form.is_valid():
        return _Pressed(first_errors(form), exception=form)
    given = form.cleaned_data
    try:
        calendars.set_exception(request.user, owner, given["day"], given["hours"], given["note"])
    except calendars.NoHours:
        return _Pressed({"monday": _("Spara veckans tider först.")}, exception=form)
    except calendars.TooManyExceptions:
        text = _("Det finns redan %(n)d undantag. Ta bort något först.") % {"n": calendars.MOST_EXCEPTIONS}
        return _Pressed({"day": text}, exception=form)
    messages.success(request, _("Undantaget är sparat."))
    return _Pressed({}, is_done=True)


def _remove_exception(request: PersonRequest, owner: Owner, key: int | None) -> _Pressed:
    if key is not None and calendars.remove_exception(request.user, owner, key):
        messages.success(request, _("Undantaget är borttaget."))
    return _Pressed({}, is_done=True)
