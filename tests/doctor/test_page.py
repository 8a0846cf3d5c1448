"""The page for administrators: an examination on demand, done in the background."""

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from mailbox.models import Person
from sdkportal.doctor import background
from sdkportal.doctor.as_json import report
from sdkportal.doctor.examination import examine
from sdkportal.doctor.findings import Check, failure, ok, warning
from sdkportal.doctor.models import Examination
from tests.mailbox.administration.build import HERE, log_in, with_role

PAGE = "administration-doctor"
ELSEWHERE = "0203:nagon-annan.se"


@pytest.fixture
def administrator(client, db) -> Person:
    person = with_role("administrator")
    log_in(client, person)
    return person


def examined(*findings, **values: object) -> Examination:
    """An examination of today's that found these."""
    results = report(examine([Check("certificates", lambda: findings)]))["checks"]
    return Examination.objects.create(
        host="machine (1)", results=results, **{"finished_at": timezone.now(), **values}
    )


def shown(client) -> str:
    return client.get(reverse(PAGE)).content.decode()


def test_nothing_is_shown_before_the_first_examination(client, administrator):
    assert "Ingen kontroll har gjorts än." in shown(client)


def test_findings_are_shown_with_what_to_do_and_when_they_were_made(client, administrator):
    row = examined(failure("disk-full", "/: 0 GiB"), warning("clock-wrong", "differs"), ok("fine"))
    page = shown(client)
    assert "Frigör eller utöka diskutrymmet." in page
    assert page.index("/: 0 GiB") < page.index("differs") < page.index("fine")
    assert f"{timezone.localtime(row.finished_at):%Y-%m-%d %H:%M}" in page
    assert "machine (1)" in page
    client.cookies["sdk_language"] = "en"
    assert "Free or add disk room." in shown(client)


def test_what_concerns_another_organisation_is_not_shown(client, administrator):
    examined(
        failure("certificate-ends", "ours ends", HERE), failure("certificate-ends", "theirs ends", ELSEWHERE)
    )
    page = shown(client)
    assert "ours ends" in page
    assert "theirs ends" not in page


def test_all_is_well_is_said(client, administrator):
    examined(ok("fine"))
    assert "Allt fungerar." in shown(client)


def test_one_that_is_running_is_told_and_another_is_not_started(client, administrator, monkeypatch):
    examined(ok("earlier"))
    row = examined(finished_at=None)
    page = shown(client)
    assert "En kontroll pågår" in page
    assert 'hx-trigger="every 3s"' in page
    assert "earlier" in page
    assert "Kontrollera nu" not in page
    assert background.begin() == row


def test_one_whose_process_has_ended_is_told_and_another_can_be_started(client, administrator):
    row = examined(finished_at=None)
    Examination.objects.update(started_at=timezone.now() - timedelta(minutes=10))
    page = shown(client)
    assert "blev inte klar" in page
    assert "Kontrollera nu" in page
    assert background.begin() != row


def test_old_examinations_are_removed(db):
    for _ in range(14):
        examined(ok())
    background.begin()
    assert Examination.objects.count() == 10


@pytest.mark.django_db(transaction=True)
def test_pressing_the_button_answers_at_once_and_the_examination_is_done_beside(client, monkeypatch):
    log_in(client, with_role("administrator"))
    started = []

    class Thread:
        def __init__(self, **values):
            started.append(values)

        def start(self):
            """The test runs it itself."""

    monkeypatch.setattr(background.threading, "Thread", Thread)
    assert client.post(reverse(f"{PAGE}-begin")).status_code == 302
    assert "En kontroll pågår" in shown(client)
    monkeypatch.undo()
    monkeypatch.setattr(background, "CHECKS", [Check("disks", lambda: [failure("disk-full", "/: 0 GiB")])])
    (thread,) = started
    assert thread["daemon"]
    thread["target"](*thread["args"])
    assert "/: 0 GiB" in shown(client)
