"""Arrivals that were set aside and the way to a counterpart: for administrators of the organisation."""

import uuid

import pytest
from django.core import mail
from django.urls import reverse
from django.utils import timezone

from mailbox.administration import counterparts
from mailbox.models import AccessLogEntry
from testbed.services import free_port
from transport import queues
from transport.access_point.ping import Step, Tried
from transport.mail import NothingSent
from transport.message_service.models import Event, IncomingMessage, Organisation

from .build import HERE, log_in, with_role

pytestmark = pytest.mark.django_db
ELSEWHERE = "0203:nagon-annan.se"
PAGE = "administration-counterparts"


@pytest.fixture
def arrival(client) -> IncomingMessage:
    """Set aside at Håbo, for an administrator who is logged in; another organisation has one too."""
    rows = {}
    for participant in (HERE, ELSEWHERE):
        organisation = Organisation.objects.create(participant_id=participant, name=participant)
        rows[participant] = IncomingMessage.objects.create(
            transfer_id=uuid.uuid4(),
            organisation=organisation,
            sender=f"0203:avsandare-till-{participant.partition(':')[2]}",
            state="ERROR",
            cause="unexpected",
            arrived_at=timezone.now(),
        )
    log_in(client, with_role("administrator"))
    return rows[HERE]


def decided(client, row: IncomingMessage, decision: str):
    return client.post(reverse(f"{PAGE}-decide", args=[row.pk]), {"decision": decision})


def test_one_s_own_organisation_s_arrivals_are_shown_and_counted(client, arrival):
    shown = client.get(reverse(PAGE)).content.decode()
    assert "avsandare-till-habo.se" in shown
    assert "avsandare-till-nagon-annan.se" not in shown
    assert "1 inkommet meddelande har inte kunnat behandlas." in client.get(reverse("start")).content.decode()
    assert counterparts.count_set_aside() == 2


@pytest.mark.parametrize(
    ("decision", "refused_by", "what"),
    [("retry", "", "arrival-retried"), ("refuse", "Eva", "arrival-refused")],
)
def test_an_arrival_is_tried_again_or_refused_and_the_access_log_tells(
    client, arrival, decision, refused_by, what
):
    assert decided(client, arrival, decision).status_code == 302
    arrival.refresh_from_db()
    assert (arrival.state, arrival.rejection_ordered_by) == ("ARRIVED", refused_by)
    assert arrival.due_at is not None
    assert AccessLogEntry.objects.filter(what=what).count() == 1
    assert decided(client, arrival, decision).status_code == 404


def test_another_organisation_s_arrival_is_nobody_s_here(client, arrival):
    other = IncomingMessage.objects.exclude(pk=arrival.pk).get()
    assert decided(client, other, "refuse").status_code == 404
    other.refresh_from_db()
    assert other.state == "ERROR"


def test_the_steps_to_a_counterpart_are_shown(client, arrival, monkeypatch):
    told = [Tried(Step.DNS, True, "http://smp"), Tried(Step.SMP, False, "lookup-unavailable: SMP: HTTP 500")]
    monkeypatch.setattr(counterparts, "ping", lambda *_: told)
    asked = {"organisation": HERE, "participant": "0203:annan.se"}
    shown = client.post(reverse(PAGE), asked).content.decode()
    assert "Finns i federationen (DNS)" in shown
    assert "lookup-unavailable: SMP: HTTP 500" in shown
    assert "Ett steg fungerar inte." in shown


def test_what_is_no_participant_is_said_at_the_field_and_nobody_asks_for_another(client, arrival):
    wrong = client.post(reverse(PAGE), {"organisation": HERE, "participant": "habo"})
    assert wrong.status_code == 422
    assert "Skriv motpartens id, till exempel 0203:habo.se." in wrong.content.decode()
    assert client.post(reverse(PAGE), {"organisation": ELSEWHERE, "participant": HERE}).status_code == 404


def test_the_page_tells_which_error_it_was_and_how_often(client, arrival):
    IncomingMessage.objects.filter(pk=arrival.pk).update(failures=12)
    Event.objects.create(incoming=arrival, name="ERROR", cause="unexpected: RuntimeError opening.py:12")
    shown = client.get(reverse(PAGE)).content.decode()
    assert "Oväntat fel, antal försök: 12" in shown
    assert "RuntimeError opening.py:12" in shown


@pytest.fixture
def administrators(settings) -> None:
    settings.SDK_PUBLIC_URL = "https://sdk.habo.se"
    settings.SDK_OPERATOR_MAIL = []
    administrator = with_role("administrator")
    administrator.mail_address = "eva@habo.se"
    administrator.save()


def test_administrators_are_told_once_by_mail_without_content(arrival, administrators, settings):
    counterparts.send_alarms()
    counterparts.send_alarms()
    (told,) = mail.outbox
    assert told.to == ["eva@habo.se"]
    assert told.subject == "Inkomna meddelanden kunde inte behandlas"
    assert told.body.startswith("1 inkommet meddelande har lagts åt sidan")
    assert f"https://sdk.habo.se{reverse(PAGE)}" in told.body
    assert "avsandare" not in told.subject + told.body


def test_another_one_is_told_of_at_once_and_the_same_ones_after_a_day(arrival, administrators, settings):
    counterparts.send_alarms()
    arrival.pk, arrival.transfer_id = uuid.uuid4(), uuid.uuid4()
    arrival.save(force_insert=True)
    counterparts.send_alarms()
    assert [told.body[:1] for told in mail.outbox] == ["1", "2"]
    client = queues.broker()
    keys = [counterparts._told_key(key) for key in IncomingMessage.objects.values_list("pk", flat=True)]
    assert all(0 < client.ttl(key) <= 86400 for key in keys)
    # As after a day.
    client.delete(*keys)
    counterparts.send_alarms()
    assert len(mail.outbox) == 3


def test_a_mail_that_could_not_be_sent_is_sent_again(arrival, administrators, monkeypatch):
    def refuse(*_: object) -> int:
        return 0

    with monkeypatch.context() as broken:
        broken.setattr(counterparts.mail, "send_each", refuse)
        counterparts.send_alarms()
        with pytest.raises(NothingSent):
            counterparts._send_alarm((HERE, [arrival.pk]))
    counterparts.send_alarms()
    assert len(mail.outbox) == 1


def test_without_a_broker_nobody_is_told_in_every_round(arrival, administrators, settings):
    settings.CELERY_BROKER_URL = f"redis://127.0.0.1:{free_port()}/0"
    counterparts.send_alarms()
    assert mail.outbox == []
