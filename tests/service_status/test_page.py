"""The page of the service status: the viewer's own organisations, figures alone, and what the feed says."""

import uuid
from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from addressbook.models import Organisation as BookOrganisation
from sdkportal.doctor.models import Examination
from tests.mailbox.administration.build import HERE, log_in, with_role
from transport.federation.models import StatusFeed
from transport.message_service.models import Event, IncomingMessage, Organisation, OutgoingMessage
from transport.message_service.tracking.exchanges import exchanges

pytestmark = pytest.mark.django_db
ELSEWHERE = "0203:nagon-annan.se"
AF, FK, SKV = "0203:af.se", "0203:fk.se", "0203:skv.se"


@pytest.fixture
def administrator(client):
    log_in(client, with_role("administrator"))


def happened(*events: tuple[str, str], to: str = AF, by: str = HERE, ago: timedelta | None = None) -> None:
    """These events of a message, in this order."""
    organisation, _ = Organisation.objects.get_or_create(participant_id=by, defaults={"name": by})
    message = OutgoingMessage.objects.create(
        organisation=organisation, message_id=uuid.uuid4(), conversation_id=uuid.uuid4(), recipient=to
    )
    for name, cause in events:
        event = Event.objects.create(outgoing=message, name=name, cause=cause)
        if ago is not None:
            Event.objects.filter(pk=event.pk).update(at=timezone.now() - ago)


def shown(client) -> str:
    return " ".join(client.get(reverse("administration-service-status")).content.decode().split())


RECEIPT = ("TRANSPORT_RECEIPT", "")
UNREACHABLE = ("SCHEDULED_FOR_RESEND", "unreachable")


def test_nothing_wrong_is_told_as_such(client, administrator):
    page = shown(client)
    assert "Inget fel är känt. Det som skickas kommer fram." in page
    assert "Inget har skickats till någon annan organisation det senaste dygnet." in page
    assert "SDK_STATUS_FEED_URL" in page


def test_a_counterpart_that_does_not_answer_is_named_and_others_are_not_blamed(client, administrator):
    BookOrganisation.objects.create(participant_id=AF, name="Arbetsförmedlingen")
    happened(UNREACHABLE)
    happened(RECEIPT, to=FK)
    page = shown(client)
    assert "Felet ligger troligen hos motparten." in page
    assert "Felet ligger hos oss" not in page
    troubled, well = page.index("Arbetsförmedlingen"), page.index(FK)
    assert troubled < well, "trouble comes first"
    assert "Kommer inte fram</strong>: dess accesspunkt svarar inte" in page
    happened(RECEIPT)
    assert "Inget fel är känt. Det som skickas kommer fram." in shown(client)


def test_who_reaches_nobody_is_told_that_it_is_here(client, administrator):
    for participant in (AF, FK, SKV):
        happened(UNREACHABLE, to=participant)
    page = shown(client)
    assert "Felet ligger hos oss. Kontakta driften." in page
    assert "vår egen väg ut" in page
    assert "troligen hos motparten" not in page


def test_other_organisations_old_events_and_what_stayed_here_are_left_out(client, administrator):
    happened(UNREACHABLE, by=ELSEWHERE)
    happened(UNREACHABLE, to=FK, ago=timedelta(hours=25))
    happened(("TRANSPORT_RECEIPT", "inside"), to=SKV)
    happened(("SCHEDULED", "by-hand"), to=SKV)
    page = shown(client)
    assert "Inget fel är känt. Det som skickas kommer fram." in page
    assert not any(participant in page for participant in (AF, FK, SKV))


def test_events_are_counted_by_counterpart_and_cause(administrator):
    happened(UNREACHABLE, UNREACHABLE, ("MESSAGE_EXCHANGE_ERROR", "refused"))
    happened(RECEIPT)
    happened(RECEIPT)
    (found,) = exchanges([HERE], timezone.now() - timedelta(hours=1))
    assert (found.participant, found.receipts) == (AF, 2)
    assert found.causes == {"unreachable": 2, "refused": 1}
    assert found.last_cause == "refused"
    assert not found.is_troubled


def test_faults_of_this_node_are_told_and_only_one_s_own_arrivals_counted(client, administrator):
    for participant in (HERE, ELSEWHERE):
        IncomingMessage.objects.create(
            transfer_id=uuid.uuid4(),
            organisation=Organisation.objects.create(participant_id=participant, name=participant),
            sender=AF,
            state="ERROR",
            cause="unexpected",
            arrived_at=timezone.now(),
        )
    waits = OutgoingMessage.objects.create(
        organisation=Organisation.objects.get(participant_id=ELSEWHERE),
        message_id=uuid.uuid4(),
        conversation_id=uuid.uuid4(),
        recipient=AF,
        due_at=timezone.now() - timedelta(minutes=12),
    )
    page = shown(client)
    assert "lagda åt sidan efter ett fel här: 1." in page
    assert "Arbete har väntat i 12 minuter" in page
    assert "Felet ligger hos oss. Kontakta driften." in page
    OutgoingMessage.objects.filter(pk=waits.pk).update(due_at=timezone.now() - timedelta(minutes=4))
    assert "Arbete har väntat" not in shown(client), "a short wait is no fault"


@pytest.mark.parametrize(
    ("check", "participant", "hours", "is_told"),
    [
        ("storage", "", 1, True),
        ("certificates", HERE, 1, True),
        ("certificates", ELSEWHERE, 1, False),
        ("smp", "", 1, False),
        ("storage", "", 25, False),
    ],
)
def test_a_failed_check_of_the_node_is_told_while_it_is_fresh(
    client, administrator, check, participant, hours, is_told
):
    finding = {"level": "failure", "code": "x", "detail": "", "participant": participant}
    Examination.objects.create(
        host="machine (1)",
        results=[{"name": check, "findings": [finding]}],
        finished_at=timezone.now() - timedelta(hours=hours),
    )
    assert ("Driftkontrollen hittade fel:" in shown(client)) is is_told


def test_what_the_federation_announces_is_shown_and_told_when_it_is_old(client, administrator, settings):
    settings.SDK_STATUS_FEED_URL = "https://status.example/rss"
    assert "Driftmeddelandena har inte gått att läsa än." in shown(client)
    entry = {"title": "<b>Avbrott</b>", "text": "SMP stängs", "link": "https://status.example/1", "at": None}
    feed = StatusFeed.objects.create(announcements=[entry], read_at=timezone.now())
    page = shown(client)
    assert "&lt;b&gt;Avbrott&lt;/b&gt;" in page
    assert 'href="https://status.example/1" rel="noreferrer"' in page
    assert "kan vara inaktuellt" not in page
    feed.read_at = timezone.now() - timedelta(hours=2)
    feed.save()
    assert "kan vara inaktuellt" in shown(client)
    StatusFeed.objects.update(announcements=[], read_at=timezone.now())
    assert "Federationen har inga driftmeddelanden." in shown(client)


@pytest.mark.parametrize("role", ["auditor", None])
def test_others_do_not_see_the_page(client, role):
    log_in(client, with_role(role) if role else with_role("administrator", ELSEWHERE))
    response = client.get(reverse("administration-service-status"))
    assert response.status_code == (404 if role else 200)


def test_the_page_asks_no_more_often_because_more_was_sent(
    client, administrator, django_assert_max_num_queries
):
    for number in range(30):
        happened(UNREACHABLE, to=f"0203:nummer-{number}.se")
    shown(client)
    with django_assert_max_num_queries(60):
        page = shown(client)
    assert page.count("Kommer inte fram") == 30
