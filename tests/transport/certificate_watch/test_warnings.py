"""Before a certificate ends: mail, once for each warning, the page, and the metric."""

import inspect
import re
import uuid
from datetime import timedelta

import pytest
from django.core import mail
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from mailbox.administration.views import certificates
from mailbox.models import AccessLogEntry, OrganisationRole, Person
from testbed.authorities import Validity, load_certificate, load_key
from transport.certificate_watch import watch
from transport.certificate_watch.models import ExpiryWarning
from transport.message_service.models import CertificateRequest, OrganisationKey
from transport.message_service.organisations import certificate_requests
from transport.message_service.organisations.organisation_keys import add_key
from transport.protocol.certificates import Cause, fingerprint

from .build import a_bundle

METRIC = "sdk_certificate_not_after_seconds"


@pytest.fixture(autouse=True)
def _told(settings):
    settings.SDK_OPERATOR_MAIL = ["drift@example.se"]


def ends_in(world, days: float) -> OrganisationKey:
    """The sender's signing key ends so soon."""
    row = OrganisationKey.objects.get(organisation=world.sender.organisation, purpose="signing")
    row.valid_until = timezone.now() + timedelta(days=days, minutes=-1)
    row.save(update_fields=["valid_until"])
    return row


def an_administrator(world) -> Person:
    person = Person.add(uuid.uuid4().hex, "Adm")[0]
    person.mail_address = "adm@example.se"
    person.save()
    OrganisationRole.objects.create(
        person=person, participant_id=world.sender.participant.value, role="administrator"
    )
    return person


@pytest.fixture
def client(world, settings) -> Client:
    settings.ROOT_URLCONF = "sdkportal.urls"
    client = Client()
    client.force_login(an_administrator(world), backend="mailbox.accounts.login.EidBackend")
    return client


@pytest.mark.parametrize(("days", "warned"), [(61, None), (60, 60), (30, 30), (8, 30), (7, 7), (-3, 7)])
def test_a_warning_is_sent_sixty_thirty_and_seven_days_ahead(world, days, warned):
    row = ends_in(world, days)
    watch.warn()
    assert list(ExpiryWarning.objects.values_list("fingerprint", "days")) == (
        [(row.fingerprint, warned)] if warned else []
    )
    assert len(mail.outbox) == (1 if warned else 0)


def test_each_warning_is_sent_once_to_operators_and_the_organisation_s_administrators(world):
    an_administrator(world)
    for days in (60, 59, 30, 29, 7, 6, 1):
        ends_in(world, days)
        watch.warn()
        watch.warn()
    assert sorted(sent.to[0] for sent in mail.outbox) == ["adm@example.se"] * 3 + ["drift@example.se"] * 3
    assert "59 dagar" in mail.outbox[0].subject
    assert world.sender.organisation.name in mail.outbox[0].body
    assert "PRIVATE" not in "".join(sent.body for sent in mail.outbox)


def test_a_warning_that_could_not_be_sent_is_sent_later(world, settings):
    ends_in(world, 5)
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1
    assert watch.warn() == 0
    assert not ExpiryWarning.objects.exists()
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    assert watch.warn() == 1


def test_one_with_a_successor_is_not_warned_of_and_one_whose_successor_waits_is(world):
    old = ends_in(world, 20)
    files = world.federation.issue_organisation_key(uuid.uuid4().hex, "Ny", validity=Validity(-0.5, 700))
    organisation = world.sender.organisation
    new = add_key(
        organisation,
        OrganisationKey.Purpose.SIGNING,
        load_key(files.key),
        load_certificate(files.certificate),
    )
    assert watch.warn() == 1
    ExpiryWarning.objects.all().delete()
    OrganisationKey.objects.filter(pk__in=(old.pk, new.pk)).update(published_at=timezone.now())
    assert watch.warn() == 0


def test_the_access_point_s_certificate_is_warned_of_too_and_its_old_ones_are_not(world, settings, tmp_path):
    soon, sooner = (
        world.federation.issue_organisation_key(uuid.uuid4().hex, name, validity=Validity(-9, days))
        for name, days in (("AP", 25), ("AP", 3))
    )
    old = tmp_path / "old.pem"
    old.write_bytes(sooner.key.read_bytes() + sooner.certificate.read_bytes())
    settings.SDK_ACCESS_POINT_KEY, settings.SDK_ACCESS_POINT_CERTIFICATE = (
        str(soon.key),
        str(soon.certificate),
    )
    settings.SDK_ACCESS_POINT_OLD_KEYS = [str(old)]
    assert watch.warn() == 1
    assert [one.use for one in watch.held_certificates() if one.holder == "access-point"] == [
        "still-opens",
        "signs-and-opens",
    ]


def test_the_page_shows_what_ends_and_what_each_is_used_for(world, client):
    ends_in(world, 20)
    page = client.get(reverse("administration-certificates")).content.decode()
    assert "Går snart ut" in page
    assert "19 dagar kvar" in page
    assert "Signerar och öppnar" in page
    assert world.recipient.organisation.name not in page.replace(world.sender.organisation.name, "")


def test_the_page_makes_a_request_and_takes_its_certificate(world, client, tmp_path):
    from .test_rolling_over import answered

    participant = world.sender.participant.value
    asked = {"organisation": participant, "purpose": "signing"}
    assert client.post(reverse("administration-certificate-begin"), asked).status_code == 302
    row = CertificateRequest.objects.get()
    page = client.get(reverse("administration-certificates")).content.decode()
    assert reverse("administration-certificate-request", args=[row.pk]) in page
    fetched = client.get(reverse("administration-certificate-request", args=[row.pk])).content.decode()
    assert "PRIVATE KEY" not in page + fetched
    wrong = tmp_path / "wrong.pem"
    wrong.write_bytes(world.recipient.files.signing.certificate.read_bytes())
    with wrong.open("rb") as file:
        refused = client.post(
            reverse("administration-certificate-import"), {"organisation": participant, "certificate": file}
        )
    assert refused.status_code == 422
    assert "Ingen begäran härifrån väntar" in refused.content.decode()
    right = tmp_path / "right.pem"
    right.write_bytes(answered(world, fetched))
    with right.open("rb") as file:
        taken = client.post(
            reverse("administration-certificate-import"), {"organisation": participant, "certificate": file}
        )
    assert taken.status_code == 302
    assert "Väntar på att publiceras" in client.get(taken.url).content.decode()
    noted = list(AccessLogEntry.objects.order_by("number").values_list("what", flat=True))
    assert noted[-2:] == ["certificate-requested", "certificate-imported"]


def test_the_page_takes_a_key_from_elsewhere_with_its_passphrase(world, client):
    files = world.federation.issue_organisation_key(uuid.uuid4().hex, "Ny")
    certificate = load_certificate(files.certificate)
    bundle = a_bundle(load_key(files.key), certificate)
    form = {"organisation": world.sender.participant.value, "purpose": "encryption"}
    url = reverse("administration-certificate-import")
    for passphrase, status in (("annat", 422), ("hemligt", 302)):
        file = SimpleUploadedFile("a.p12", bundle)
        response = client.post(url, {**form, "passphrase": passphrase, "certificate": file})
        assert response.status_code == status
        assert passphrase not in response.content.decode()
    kept = OrganisationKey.objects.get(fingerprint=fingerprint(certificate))
    assert (kept.organisation, kept.purpose) == (world.sender.organisation, "encryption")


def test_every_reason_to_refuse_a_certificate_is_told_in_words():
    reasons = {cause.name.lower().replace("_", "-") for cause in Cause}
    raised = re.findall(r"CertificateRefused\(([^)]+)\)", inspect.getsource(certificate_requests))
    reasons |= {reason for given in raised for reason in re.findall(r'"([a-z-]+)"', given)}
    assert {"passphrase", "unreadable", "no-request", "no-key", "revoked"} <= reasons
    assert reasons <= set(certificates._REASONS)


def test_another_organisation_s_is_not_there(world, client):
    asked = {"organisation": world.recipient.participant.value, "purpose": "signing"}
    assert client.post(reverse("administration-certificate-begin"), asked).status_code == 422
    assert not CertificateRequest.objects.exists()


def test_the_metric_tells_when_each_ends(world, client):
    row = ends_in(world, 20)
    text = client.get(reverse("metrics")).content.decode()
    line = next(line for line in text.splitlines() if row.fingerprint[:16] in line)
    assert line.startswith(METRIC + '{fingerprint="')
    assert float(line.rpartition(" ")[2]) == pytest.approx(row.valid_until.timestamp())
    assert world.sender.participant.value not in text


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("address", "headers", "status"),
    [
        ("127.0.0.1", {}, 200),
        ("::1", {}, 200),
        ("192.0.2.1", {}, 404),
        ("", {}, 404),
        ("127.0.0.1", {"X-Forwarded-For": "192.0.2.1"}, 404),
        ("127.0.0.1", {"X-Forwarded-Proto": "https"}, 404),
        ("127.0.0.1", {"Forwarded": "for=192.0.2.1"}, 404),
        ("192.0.2.1", {"Authorization": "Bearer secret"}, 200),
        ("127.0.0.1", {"Authorization": "Bearer secret", "X-Forwarded-For": "x"}, 200),
        ("192.0.2.1", {"Authorization": "Bearer"}, 404),
        ("192.0.2.1", {"Authorization": "Bearer åäö"}, 404),
    ],
)
def test_the_figures_are_for_allowed_addresses_and_the_token(settings, address, headers, status):
    settings.SDK_METRICS_TOKEN = "secret"
    assert Client(REMOTE_ADDR=address).get("/halsa/matt", headers=headers).status_code == status


@pytest.mark.django_db
def test_without_a_token_set_an_empty_one_opens_nothing():
    asked = Client(REMOTE_ADDR="192.0.2.1").get("/halsa/matt", headers={"Authorization": "Bearer "})
    assert asked.status_code == 404
