"""The monthly mail: figures alone, once, whatever happens to workers and mail servers."""

import smtplib

import pytest
from django.core import mail as outbox
from django.urls import reverse

from mailbox.models import DepartmentLeader, MonthlyFigures
from mailbox.statistics.departments import monthly_mail, tree
from mailbox.statistics.departments.units import units_of
from mailbox.tasks import count_daily_figures
from tests.mailbox.build import log_in
from transport.message_service.models import Organisation

from .build import (
    HERE,
    a_department,
    a_leader,
    a_mailbox,
    an_administrator,
    at,
    clock,
    counted,
    messages,
    workers,
)

pytestmark = pytest.mark.django_db
APRIL = at("2026-04-02", "08:00")


@pytest.fixture
def leader():
    """A leader who chose the figures in March."""
    Organisation.objects.create(participant_id=HERE, name="Håbo kommun")
    box = a_mailbox("Mottagning")
    workers(box, 3)
    row = a_department("Socialförvaltningen", box, a_mailbox("Ekonomi"))
    messages(box, 5)
    person = a_leader(row)
    person.mail_address = "lena@example.org"
    person.save()
    with clock(at("2026-03-15")):
        monthly_mail.choose(person, person, units_of(person)[0], is_wanted=True)
    return person


def send_in(moment) -> int:
    with clock(moment):
        counted()
        return monthly_mail.send_due()


def test_the_figures_of_the_last_month_are_sent_once(leader):
    assert send_in(at("2026-03-31", "23:59")) == 0
    assert send_in(APRIL) == 1
    assert send_in(APRIL) == send_in(at("2026-04-30", "23:59")) == 0
    (mail,) = outbox.outbox
    assert mail.to == ["lena@example.org"]
    assert mail.subject == "Statistik för mars 2026: Socialförvaltningen"
    assert "Inkomna: 5 (månaden före: 0)" in mail.body
    assert "- Mottagning: 5, 0" in mail.body
    assert "month=2026-03" in mail.body
    assert "Lena" not in mail.body
    assert "Person" not in mail.body


def test_after_months_away_the_last_month_is_sent_and_no_other(leader):
    assert send_in(at("2026-08-20")) == 1
    assert outbox.outbox[0].subject.startswith("Statistik för juli 2026")


def test_nothing_is_sent_before_all_of_the_month_is_counted(leader):
    with clock(at("2026-03-31", "23:59")):
        counted()
    with clock(at("2026-04-01", "00:30")):
        assert monthly_mail.send_due() == 0
        a_new = a_mailbox("Ny")
        tree.set_mailboxes(an_administrator(), DepartmentLeader.objects.get().department, [a_new.pk])
        assert monthly_mail.send_due() == 0
    with clock(at("2026-04-01", "01:00")):
        count_daily_figures()
    assert len(outbox.outbox) == 1


def test_a_mail_server_that_is_away_is_tried_again_and_none_is_doubled(leader, monkeypatch):
    def away(*_: object) -> None:
        raise smtplib.SMTPServerDisconnected

    with monkeypatch.context() as patched:
        patched.setattr(outbox.EmailMessage, "send", away)
        assert send_in(APRIL) == 0
    assert send_in(APRIL) == 1
    assert send_in(APRIL) == 0
    assert len(outbox.outbox) == 1


def test_a_worker_that_ends_while_it_sends_does_not_send_again(leader, monkeypatch):
    def ends(*_: object) -> None:
        raise SystemExit

    with monkeypatch.context() as patched:
        patched.setattr(outbox.EmailMessage, "send", ends)
        with pytest.raises(SystemExit):
            send_in(APRIL)
    assert send_in(APRIL) == 0


def test_who_is_no_longer_leader_gets_nothing(leader):
    DepartmentLeader.objects.all().delete()
    assert send_in(APRIL) == 0
    assert not MonthlyFigures.objects.exists()


def test_who_leads_a_removed_department_gets_nothing(leader):
    tree.remove(an_administrator(), DepartmentLeader.objects.get().department)
    assert send_in(APRIL) == 0


def test_without_an_address_the_mail_waits_until_there_is_one(leader):
    leader.mail_address = ""
    leader.save()
    assert send_in(APRIL) == 0
    leader.mail_address = "lena@example.org"
    leader.save()
    assert send_in(APRIL) == 1


def test_times_are_not_told_where_few_people_work(leader):
    box = DepartmentLeader.objects.get().department.places.get(mailbox__name="Mottagning").mailbox
    box.memberships.first().delete()
    send_in(APRIL)
    assert "nio av tio" not in outbox.outbox[0].body
    assert "Missade" not in outbox.outbox[0].body


def test_one_chooses_it_for_oneself_and_an_administrator_for_the_whole_organisation(leader, client):
    log_in(client, leader)
    unit = units_of(leader)[0].key
    client.post(reverse("monthly-figures"), {"unit": unit, "wanted": "0"})
    assert not MonthlyFigures.objects.exists()
    page = client.post(reverse("monthly-figures"), {"unit": unit, "wanted": "1"}, follow=True)
    assert "Skicka inte siffrorna till mig" in page.content.decode()
    eva = an_administrator()
    eva.mail_address = "eva@example.org"
    eva.save()
    log_in(client, eva)
    for _ in range(2):
        client.post(reverse("monthly-figures"), {"unit": HERE, "wanted": "1"})
    row = MonthlyFigures.objects.get(person=eva)
    assert row.department is None
    MonthlyFigures.objects.exclude(pk=row.pk).delete()
    MonthlyFigures.objects.update(sent_month="2026-02-01")
    assert send_in(APRIL) == 1
    assert outbox.outbox[0].subject == "Statistik för mars 2026: Håbo kommun"
    for values in ({}, {"unit": "x\0"}, {"unit": "0203:x.se"}):
        assert client.post(reverse("monthly-figures"), values).status_code == 404
