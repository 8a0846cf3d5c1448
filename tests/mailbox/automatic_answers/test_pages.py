"""Managers set a mailbox's automatic answer; administrators see them all, and start them again."""

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from mailbox.automatic_answers.forms import AutomaticAnswerForm
from mailbox.models import (
    AccessLogEntry,
    AutomaticAnswerGuard,
    AutomaticAnswerSetting,
    Membership,
    OrganisationRole,
)
from tests.mailbox.build import a_member, log_in

from .build import HERE, answer_to, answers_automatically

pytestmark = pytest.mark.django_db
OVERVIEW = "administration-automatic-answers"


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


@pytest.fixture
def page(mailbox):
    return reverse("administration-automatic-answer", args=[mailbox.pk])


def told(response) -> str:
    return response.content.decode()


def test_a_manager_looks_at_the_answer_and_saves_it(client, mailbox, manager, page):
    today = timezone.localdate().isoformat()
    given = {"mode": "days", "first_day": today, "last_day": today, "text": "**Stängt** idag.\r\nRing 112."}
    response = client.post(page, {**given, "action": "preview"})
    assert response.status_code == 200
    assert "Det är inte sparat än." in told(response)
    assert "<strong>Stängt</strong>" in told(response)
    assert "Det här är ett automatiskt svar från Mottagning." in told(response)
    assert not AutomaticAnswerSetting.objects.exists()
    client.post(page, given)
    row = AutomaticAnswerSetting.objects.get()
    assert (row.mode, row.text, row.changed_by) == ("days", "**Stängt** idag.\nRing 112.", manager)
    entry = AccessLogEntry.objects.get(what="automatic-answer-set")
    assert (entry.mailbox, entry.details["mode"]) == (mailbox, "days")
    assert "Stängt" not in str(entry.details)
    assert "Ring 112." in told(client.get(page))
    client.post(page, {"mode": "", "text": "**Stängt** idag."})
    assert AutomaticAnswerSetting.objects.get().mode == ""


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"text": ""}, "Skriv det som ska svaras."),
        ({"text": "a" * 2001}, "högst 2000 tecken"),
        ({"text": "a\0b"}, ""),
        ({"text": "a\ufffe"}, "ett tecken som inte kan skickas"),
        ({"text": "a\x0bb"}, "ett tecken som inte kan skickas"),
        ({"mode": "always"}, "Välj när brevlådan ska svara automatiskt."),
        ({"mode": "hours"}, "Brevlådan har inga bemanningstider."),
        ({"first_day": "", "last_day": ""}, "Ange första och sista dagen."),
        ({"last_day": ""}, "Ange både första och sista dagen."),
        ({"last_day": "2026-01-01"}, "Sista dagen kan inte vara före den första."),
        ({"last_day": "2027-12-31"}, "Välj högst ett år."),
        ({"first_day": "0001-01-01"}, "Ogiltigt datum."),
        ({"first_day": "x" * 5000}, ""),
    ],
)
def test_what_cannot_be_is_told_and_nothing_is_saved(client, manager, page, changed, message):
    given = {"mode": "days", "first_day": "2026-12-20", "last_day": "2026-12-31", "text": "Vi har stängt."}
    response = client.post(page, {**given, **changed})
    assert response.status_code == 422
    assert message in told(response)
    assert not AutomaticAnswerSetting.objects.exists()


def test_half_a_character_is_told_by_the_form():
    form = AutomaticAnswerForm({"mode": "", "text": "a\ud800"}, has_calendar=False)
    assert "text" in form.errors


def test_an_unknown_button_and_another_mailbox_do_not_exist(client, manager, page):
    assert client.post(page, {"action": "dance"}).status_code == 404
    assert client.get(reverse("administration-automatic-answer", args=[999_999])).status_code == 404
    assert client.get(reverse(OVERVIEW)).status_code == 404


def test_an_administrator_sees_what_was_sent_and_starts_answers_again_that_were_stopped(
    client, mailbox, administrator, settings, page
):
    settings.SDK_AUTOMATIC_ANSWERS_PER_HOUR = 1
    answers_automatically(mailbox)
    answer_to(sender_function="a")
    answer_to(sender_function="b")
    response = client.get(reverse(OVERVIEW))
    (row,) = response.context["rows"]
    assert row.stopped_at is not None
    assert [(each.mailbox, each.sent, each.left_out) for each in row.mailboxes] == [(mailbox, 1, 1)]
    assert "Starta igen" in told(response)
    assert "stoppade" in told(client.get(page))
    client.post(reverse(OVERVIEW), {"organisation": "0203:annan.se"})
    assert AutomaticAnswerGuard.objects.get().stopped_at is not None
    client.post(reverse(OVERVIEW), {"organisation": HERE})
    guard = AutomaticAnswerGuard.objects.get()
    assert (guard.stopped_at, guard.resumed_by) == (None, administrator)
    assert "Starta igen" not in told(client.get(reverse(OVERVIEW)))


def test_an_administrator_of_another_organisation_starts_nothing_again(client, mailbox):
    AutomaticAnswerGuard.objects.create(participant_id=HERE, stopped_at=timezone.now() - timedelta(hours=1))
    person = a_member("Nils")
    OrganisationRole.objects.create(person=person, participant_id="0203:annan.se")
    log_in(client, person)
    client.post(reverse(OVERVIEW), {"organisation": HERE})
    assert AutomaticAnswerGuard.objects.get().stopped_at is not None


def test_the_conversation_shows_what_was_sent_automatically(client, mailbox):
    answers_automatically(mailbox)
    answer = answer_to()
    log_in(client, a_member("Karin", mailbox))
    shown = told(client.get(reverse("conversation", args=[answer.conversation_id])))
    assert "Automatiskt svar" in shown
    assert "Vi är åter på måndag." in shown
    assert "Ett automatiskt svar skickades" in shown
    listed = told(client.get(reverse("mailbox", args=[mailbox.pk])))
    assert "Vi är åter" not in listed
