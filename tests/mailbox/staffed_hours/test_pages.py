"""Managers set a mailbox's staffed hours; administrators those that their mailboxes have by default."""

from datetime import date, timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from mailbox.models import (
    AccessLogEntry,
    FunctionMailbox,
    Membership,
    OrganisationRole,
    StaffedHours,
    StaffedHoursException,
)
from mailbox.staffed_hours import calendars
from mailbox.staffed_hours.calendar import Hours
from tests.mailbox.build import a_member, log_in
from transport.message_service.models import Organisation

pytestmark = pytest.mark.django_db
HERE = "0203:habo.se"
OFFICE = "08:00–12:00, 13:00–16:30"
WEEK = dict.fromkeys(["monday", "tuesday", "wednesday", "thursday", "friday"], OFFICE)


@pytest.fixture
def manager(mailbox, client):
    person = a_member("Karin", mailbox)
    Membership.objects.update(role=Membership.Role.MANAGER)
    log_in(client, person)
    return person


@pytest.fixture
def administrator(mailbox, client):
    person = a_member("Eva")
    OrganisationRole.objects.create(person=person, participant_id=HERE)
    log_in(client, person)
    return person


def page_of(mailbox: FunctionMailbox) -> str:
    return reverse("administration-mailbox-hours", args=[mailbox.pk])


def default_page() -> str:
    return reverse("administration-default-hours", args=[Organisation.objects.get().pk])


def told(response) -> str:
    return response.content.decode()


def test_a_manager_sets_the_hours_of_a_week(client, mailbox, manager):
    client.post(page_of(mailbox), {**WEEK, "saturday": "9-12 och 13.30 till 15"})
    calendar = calendars.calendar_of(mailbox)
    assert calendar.week[0] == (Hours(480, 720), Hours(780, 990))
    assert calendar.week[5] == (Hours(540, 720), Hours(810, 900))
    assert calendar.week[6] == ()
    assert calendar.is_closed_on_holidays
    assert OFFICE in told(client.get(page_of(mailbox)))
    entry = AccessLogEntry.objects.get(what="staffed-hours-changed")
    assert (entry.mailbox, entry.actor) == (mailbox, manager)


@pytest.mark.parametrize(
    ("field", "text", "message"),
    [
        ("monday", "08:00–12:00, 11:00–13:00", "08:00–12:00 överlappar 11:00–13:00."),
        ("tuesday", "22:00–06:00, 23:00–23:30", "22:00–06:00 överlappar 23:00–23:30."),
        ("monday", "8-25", "Skriv tiderna så här"),
        ("monday", "8-9:60", "Skriv tiderna så här"),
        ("monday", "8-8", "Skriv tiderna så här"),
        ("monday", "24-8", "Skriv tiderna så här"),
        ("monday", "hela dagen", "Skriv tiderna så här"),
        ("monday", "8\0-12", ""),
        ("monday", "8-12," * 50, "Skriv färre tider."),
        ("day_before", "never", "Välj vad som gäller dagen före en helgdag."),
        ("day_before_ends", "25", "Skriv ett klockslag, till exempel 12:00."),
    ],
)
def test_what_cannot_be_is_told_and_nothing_is_saved(client, mailbox, manager, field, text, message):
    response = client.post(page_of(mailbox), {**WEEK, field: text})
    assert response.status_code == 422
    assert message in told(response)
    assert not StaffedHours.objects.exists()


@pytest.mark.parametrize(
    ("late", "early", "message"),
    [
        ("monday", "tuesday", "Tisdag 05:00–12:00 överlappar måndag 22:00–06:00."),
        ("sunday", "monday", "Måndag 05:00–12:00 överlappar söndag 22:00–06:00."),
    ],
)
def test_hours_over_midnight_do_not_overlap_those_of_the_next_day(
    client, mailbox, manager, late, early, message
):
    response = client.post(page_of(mailbox), {late: "22-06", early: "5-12"})
    assert response.status_code == 422
    assert message in told(response)
    assert client.post(page_of(mailbox), {late: "22-06", early: "6-12"}).status_code == 302


def test_a_day_before_a_holiday_needs_the_time_at_which_it_ends(client, mailbox, manager):
    response = client.post(page_of(mailbox), {**WEEK, "day_before": "ends-at"})
    assert "Skriv när dagen före en helgdag slutar." in told(response)
    client.post(page_of(mailbox), {**WEEK, "day_before": "ends-at", "day_before_ends": "13"})
    assert calendars.calendar_of(mailbox).day_before_ends == 13 * 60
    client.post(page_of(mailbox), {**WEEK, "day_before": "closed", "day_before_ends": "13"})
    assert calendars.calendar_of(mailbox).day_before_ends == 0


def test_a_preview_shows_two_weeks_and_saves_nothing(client, mailbox, manager):
    response = client.post(page_of(mailbox), {**WEEK, "action": "preview"})
    assert response.status_code == 200
    assert "Tiderna är inte sparade än." in told(response)
    assert len(response.context["preview"]) == 14
    assert {row.hours for row in response.context["preview"]} <= {OFFICE, ""}
    assert not StaffedHours.objects.exists()


def test_an_exception_is_added_changed_and_removed(client, mailbox, manager):
    client.post(page_of(mailbox), WEEK)
    day = timezone.localdate() + timedelta(days=3)
    given = {"action": "add-exception", "day": day.isoformat(), "note": "Planeringsdag"}
    client.post(page_of(mailbox), given)
    assert calendars.calendar_of(mailbox).hours_on(day) == ()
    assert "Planeringsdag" in told(client.get(page_of(mailbox)))
    client.post(page_of(mailbox), {**given, "hours": "10-12"})
    assert calendars.calendar_of(mailbox).hours_on(day) == (Hours(600, 720),)
    # Saving the week again keeps it.
    client.post(page_of(mailbox), WEEK)
    key = StaffedHoursException.objects.get().pk
    client.post(page_of(mailbox), {"action": "remove-exception", "exception": key})
    assert not StaffedHoursException.objects.exists()


@pytest.mark.parametrize("changes", [{"day": ""}, {"day": "2026-13-01"}, {"hours": "x"}, {"note": "a" * 101}])
def test_an_exception_that_cannot_be_is_told(client, mailbox, manager, changes):
    client.post(page_of(mailbox), WEEK)
    given = {"action": "add-exception", "day": "2027-01-04", **changes}
    assert client.post(page_of(mailbox), given).status_code == 422
    assert not StaffedHoursException.objects.exists()


def test_an_exception_needs_hours_of_ones_own(client, mailbox, manager):
    given = {"action": "add-exception", "day": "2027-01-04"}
    assert "Spara veckans tider först." in told(client.post(page_of(mailbox), given))


def test_there_is_an_end_to_exceptions(client, mailbox, manager, monkeypatch):
    monkeypatch.setattr(calendars, "MOST_EXCEPTIONS", 1)
    client.post(page_of(mailbox), WEEK)
    client.post(page_of(mailbox), {"action": "add-exception", "day": "2027-01-04"})
    response = client.post(page_of(mailbox), {"action": "add-exception", "day": "2027-01-05"})
    assert "Det finns redan 1 undantag" in told(response)


def test_nobody_removes_the_exceptions_of_another_mailbox(client, mailbox, manager):
    other = FunctionMailbox.objects.create(participant_id=HERE, address="x", name="Annan")
    row = StaffedHours.objects.create(participant_id=HERE, mailbox=other)
    exception = row.exceptions.create(day=date(2027, 1, 4))
    client.post(page_of(mailbox), {"action": "remove-exception", "exception": exception.pk})
    assert StaffedHoursException.objects.exists()
    assert client.get(page_of(other)).status_code == 404


def test_mailboxes_have_the_organisations_hours_until_they_set_their_own(client, mailbox, administrator):
    client.post(default_page(), WEEK)
    assert calendars.calendar_of(mailbox).week[0] == (Hours(480, 720), Hours(780, 990))
    assert "följer organisationens tider" in told(client.get(page_of(mailbox)))
    client.post(page_of(mailbox), {"monday": "10-12"})
    assert calendars.calendar_of(mailbox).week[0] == (Hours(600, 720),)
    assert calendars.calendar_of(mailbox).week[1] == ()
    client.post(page_of(mailbox), {"action": "remove"})
    assert calendars.calendar_of(mailbox).week[0] == (Hours(480, 720), Hours(780, 990))
    client.post(default_page(), {"action": "remove"})
    assert calendars.calendar_of(mailbox) is None


def test_a_mailbox_begins_with_the_exceptions_of_its_organisation(client, mailbox, administrator):
    client.post(default_page(), WEEK)
    day = date(2031, 2, 3)
    client.post(default_page(), {"action": "add-exception", "day": day.isoformat(), "note": "Planeringsdag"})
    assert calendars.calendar_of(mailbox).hours_on(day) == ()
    client.post(page_of(mailbox), {"monday": "10-12"})
    assert calendars.calendar_of(mailbox).hours_on(day) == ()
    assert StaffedHoursException.objects.filter(note="Planeringsdag").count() == 2
    # What is saved again, or changed in the organisation's, leaves the mailbox's as they are.
    key = StaffedHoursException.objects.get(staffed_hours__mailbox=mailbox).pk
    client.post(page_of(mailbox), {"action": "remove-exception", "exception": key})
    client.post(page_of(mailbox), {"monday": "10-12"})
    assert calendars.calendar_of(mailbox).hours_on(day) == (Hours(600, 720),)


def test_hours_of_another_organisation_are_no_default(mailbox):
    StaffedHours.objects.create(participant_id="0203:nagon-annan.se")
    assert calendars.calendar_of(mailbox) is None


def test_the_default_is_for_administrators_alone(client, mailbox, manager):
    assert client.get(default_page()).status_code == 404
    assert client.post(default_page(), WEEK).status_code == 404


def test_the_overview_tells_whose_hours_a_mailbox_has(client, mailbox, administrator):
    assert "Inte satta" in told(client.get(reverse("administration-staffed-hours")))
    client.post(default_page(), WEEK)
    assert "Organisationens" in told(client.get(reverse("administration-staffed-hours")))
    client.post(page_of(mailbox), WEEK)
    assert "Egna" in told(client.get(reverse("administration-staffed-hours")))


def test_calendars_of_many_mailboxes_are_found_in_two_queries(mailbox, django_assert_num_queries):
    boxes = [mailbox] + [
        FunctionMailbox.objects.create(participant_id=HERE, address=str(n), name=str(n)) for n in range(5)
    ]
    for box in boxes:
        StaffedHours.objects.create(participant_id=HERE, mailbox=box)
    with django_assert_num_queries(2):
        assert len(calendars.calendars_of(boxes)) == 6


def test_a_button_that_does_not_exist_is_refused(client, mailbox, manager):
    assert client.post(page_of(mailbox), {"action": "explode"}).status_code == 404
