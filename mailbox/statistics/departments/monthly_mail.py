"""A unit's figures by mail, once a month: figures alone, without names of persons or content.

A mail is sent for the last whole month, once the figures of all its days have been counted. That it is sent
is committed before: it is never sent twice. A mail server that refuses it is tried again; a process that ends
in between has lost it.
"""

from django.conf import settings
from django.db import transaction
from django.urls import reverse
from django.utils import formats, timezone
from django.utils.translation import gettext as _
from django.utils.translation import override

from mailbox import access_log, fault_isolation
from mailbox.administration.forms import midnight
from mailbox.models import Department, MonthlyFigures, Person
from transport import mail

from .in_words import bound_in_words
from .periods import MONTH, Period, last_month
from .report import Report, Row, counted_at, report_of
from .units import Unit, tree_and_mailboxes, unit_of, units_of


def choose(actor: Person, person: Person, unit: Unit, *, is_wanted: bool) -> None:
    """Let a person get a unit's figures every month from now on, or no longer; themselves, or by an
    administrator."""
    with transaction.atomic():
        if is_wanted:
            _, is_changed = MonthlyFigures.objects.get_or_create(
                person=person,
                participant_id=unit.participant_id,
                department=unit.department,
                defaults={"sent_month": last_month(timezone.localdate()).begins},
            )
        else:
            deleted, _rows = MonthlyFigures.objects.filter(
                person=person, participant_id=unit.participant_id, department=unit.department
            ).delete()
            is_changed = bool(deleted)
        if is_changed:
            what = "monthly-figures-chosen" if is_wanted else "monthly-figures-ended"
            access_log.record(actor, what, unit.participant_id, person=person, department=unit.name)


def is_chosen(person: Person, unit: Unit) -> bool:
    """Whether the person gets the unit's figures by mail."""
    rows = MonthlyFigures.objects.filter(person=person, participant_id=unit.participant_id)
    return rows.filter(department=unit.department).exists()


def chosen_in(department: Department) -> set[int]:
    """The keys of the people who get a department's figures by mail."""
    return set(MonthlyFigures.objects.filter(department=department).values_list("person", flat=True))


def send_due() -> int:
    """Send the figures of the last month to everybody who has not got them; returns how many were sent."""
    month = last_month(timezone.localdate()).begins
    due = MonthlyFigures.objects.filter(sent_month__lt=month, person__is_active=True)
    keys = due.exclude(person__mail_address="").order_by("pk").values_list("pk", flat=True)
    return fault_isolation.count_each(_send_if_counted, list(keys))


def _send_if_counted(key: int) -> int:
    """Send the figures to one person, unless they are not counted yet or another worker does it."""
    with transaction.atomic():
        rows = MonthlyFigures.objects.select_for_update(skip_locked=True, of=("self",))
        row = rows.select_related("person").filter(pk=key).first()
        period = last_month(timezone.localdate())
        if row is None or row.sent_month >= period.begins:
            return 0
        wanted = str(row.department_id) if row.department_id is not None else row.participant_id
        unit = unit_of(units_of(row.person), wanted)
        if unit is None:
            # Whoever does not see the figures any more does not get them either.
            row.delete()
            return 0
        if not _is_counted(unit, period):
            return 0
        subject, text = _mail(unit, period, report_of(unit, period))
        before, row.sent_month = row.sent_month, period.begins
        row.save(update_fields=["sent_month"])
    if mail.send_each([row.person.mail_address], subject, text):
        return 1
    MonthlyFigures.objects.filter(pk=key, sent_month=period.begins).update(sent_month=before)
    return 0


def _is_counted(unit: Unit, period: Period) -> bool:
    _tree, own = tree_and_mailboxes(unit)
    at = counted_at(own, unit.participant_id)
    return at is None or at >= midnight(period.ends)


def _mail(unit: Unit, period: Period, report: Report) -> tuple[str, str]:
    with override(settings.LANGUAGE_CODE):
        values = {"name": unit.name, "month": formats.date_format(period.begins, "F Y")}
        subject = _("Statistik för %(month)s: %(name)s") % values
        lines = [subject, "", *_lines(report.total), ""]
        if len(report.parts) > 1:
            lines += [_("Inkomna och skickade:")]
            lines += [f"- {row.name}: {row.sums.arrived}, {row.sums.sent}" for row in report.parts]
            lines.append("")
        address = reverse("department-figures")
        query = f"unit={unit.key}&period={MONTH}&month={period.begins:%Y-%m}"
        lines.append(_("Alla siffror: %(link)s") % {"link": f"{settings.SDK_PUBLIC_URL}{address}?{query}"})
    return subject, "\n".join(lines) + "\n"


def _lines(row: Row) -> list[str]:
    sums, before = row.sums, row.before
    counts = (
        (_("Inkomna"), sums.arrived, before.arrived),
        (_("Skickade"), sums.sent, before.sent),
        (_("Registrerade"), sums.registered, before.registered),
        (_("Ringa betydelse"), sums.minor, before.minor),
        (_("Ej registrerade"), sums.not_registered, before.not_registered),
    )
    texts = [
        _("%(what)s: %(n)d (månaden före: %(before)d)") % {"what": what, "n": count, "before": earlier}
        for what, count, earlier in counts
    ]
    if not row.tells_times:
        return texts
    for what, reached in zip((_("Besvarade"), _("Klara")), row.reached[1:], strict=True):
        if reached.half is not None and reached.most is not None:
            texts.append(
                _("%(what)s: %(n)d, hälften %(half)s, nio av tio %(most)s")
                % {
                    "what": what,
                    "n": reached.count,
                    "half": bound_in_words(reached.half),
                    "most": bound_in_words(reached.most),
                }
            )
    if sums.limits_ended:
        values = {"missed": sums.missed, "all": sums.limits_ended}
        texts.append(_("Missade tidsgränser: %(missed)d av %(all)d") % values)
    return texts
