"""Participants are found by DNS and SMP; certificates are judged; nothing is used longer than allowed."""

import time
import uuid
from datetime import timedelta

import pytest
from django.utils import timezone

from testbed.authorities import Validity, load_certificate
from transport import short_memory
from transport.federation import cache, lookup, trust
from transport.federation.errors import (
    DocumentTypeNotServed,
    LookupUnavailable,
    MetadataUntrusted,
    ParticipantUnknown,
)
from transport.federation.models import CachedAnswer
from transport.protocol.certificates import Cause, CertificateUntrusted, Purpose, RevocationUnknown
from transport.protocol.identifiers import MESSAGE_RECEIPT, SDK_MESSAGE, DocumentType, ParticipantId

pytestmark = pytest.mark.xdist_group("federation")


def a_participant(federation, **options) -> tuple[ParticipantId, object]:
    name = f"0203:org-{uuid.uuid4().hex[:8]}.se"
    federation.add_access_point("AP0009-SDK-TEST", "https://localhost:1/as4")
    files = federation.add_participant(name, "En organisation", "AP0009-SDK-TEST", [], **options)
    return ParticipantId(name), files


def test_an_endpoint_is_found(in_federation):
    participant, _ = a_participant(in_federation)
    endpoint = lookup.endpoint_of(participant, SDK_MESSAGE)
    assert endpoint.url == "https://localhost:1/as4"
    trust.check_access_point(endpoint.certificate, Purpose.ENCRYPTION)


def test_a_batch_does_not_wait_for_an_smp_that_does_not_answer_once_for_each_message(
    in_federation, settings, monkeypatch
):
    settings.SDK_ANSWER_MEMORY_SECONDS = 60
    participant, _ = a_participant(in_federation)
    asked = []

    def away(whom):
        asked.append(whom)
        raise LookupUnavailable("no answer")

    with monkeypatch.context() as patched:
        patched.setattr(lookup, "_smp_of", away)
        for _ in range(3):
            with pytest.raises(LookupUnavailable):
                lookup.endpoint_of(participant, SDK_MESSAGE)
    assert len(asked) == 1
    # Whoever wants to know anew asks anew, and an answer is not kept beside the cache.
    lookup.drop_cached(participant, SDK_MESSAGE)
    assert lookup.endpoint_of(participant, SDK_MESSAGE).url == "https://localhost:1/as4"


def test_which_transport_profiles_are_spoken_is_a_setting(in_federation, settings):
    participant, _ = a_participant(in_federation)
    settings.SDK_TRANSPORT_PROFILES = ["digg-transport-as4-v1_2", "digg-transport-as4-v1_0"]
    assert lookup.endpoint_of(participant, SDK_MESSAGE).url == "https://localhost:1/as4"
    settings.SDK_TRANSPORT_PROFILES = ["digg-transport-as4-v1_2"]
    with pytest.raises(DocumentTypeNotServed):
        lookup.endpoint_of(participant, SDK_MESSAGE)


@pytest.mark.parametrize("url", ["http://ap.example/as4", "https://127.0.0.1/as4", "https://10.0.0.1/as4"])
def test_an_access_point_where_nothing_is_ever_sent_is_refused_before_anything_is_packed(
    in_federation, settings, url
):
    participant, _ = a_participant(in_federation)
    in_federation.add_access_point("AP0010-SDK-TEST", url)
    in_federation.change_participant(participant.value, access_point="AP0010-SDK-TEST")
    real = lookup.service_metadata(participant, SDK_MESSAGE)
    assert real.endpoints[0].url == url
    settings.DEMO = False
    settings.SDK_PRIVATE_NETWORKS = []
    with pytest.raises(MetadataUntrusted):
        lookup.endpoint_of(participant, SDK_MESSAGE)


def test_certificates_are_found_under_their_document_types(in_federation):
    participant, files = a_participant(in_federation)
    assert lookup.encryption_certificates_of(participant) == (load_certificate(files.encryption.certificate),)
    (signing,) = lookup.signing_certificates_of(participant)
    assert signing == load_certificate(files.signing.certificate)
    trust.check_organisation(signing, Purpose.SIGNING)


def test_a_participant_that_is_not_registered_is_unknown(in_federation):
    participant, _ = a_participant(in_federation, published=False)
    with pytest.raises(ParticipantUnknown):
        lookup.endpoint_of(participant, SDK_MESSAGE)


def test_a_type_that_is_not_published_is_not_served(in_federation):
    participant, _ = a_participant(in_federation)
    with pytest.raises(DocumentTypeNotServed):
        lookup.service_metadata(participant, DocumentType("urn:other"))


def test_an_answer_is_kept_only_as_long_as_configured(in_federation, settings):
    participant, _ = a_participant(in_federation)
    lookup.endpoint_of(participant, MESSAGE_RECEIPT)
    in_federation.change_participant(participant.value, published=False)
    assert lookup.endpoint_of(participant, MESSAGE_RECEIPT)
    CachedAnswer.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    with pytest.raises(ParticipantUnknown):
        lookup.endpoint_of(participant, MESSAGE_RECEIPT)
    assert cache.remove_expired() > 0


def test_a_process_asks_the_database_again_only_after_a_moment(
    in_federation, settings, django_assert_num_queries, monkeypatch
):
    settings.SDK_ANSWER_MEMORY_SECONDS = 2
    monkeypatch.setattr(cache, "_memory", short_memory.ShortMemory())
    participant, _ = a_participant(in_federation)
    lookup.endpoint_of(participant, MESSAGE_RECEIPT)
    lookup.endpoint_of(participant, MESSAGE_RECEIPT)
    with django_assert_num_queries(0):
        assert lookup.endpoint_of(participant, MESSAGE_RECEIPT)
    later = time.monotonic() + 2
    monkeypatch.setattr(short_memory.time, "monotonic", lambda: later)
    in_federation.change_participant(participant.value, published=False)
    CachedAnswer.objects.all().delete()
    with pytest.raises(ParticipantUnknown):
        lookup.endpoint_of(participant, MESSAGE_RECEIPT)


@pytest.mark.parametrize("how", ["dropped", "past its end"])
def test_what_a_process_remembers_is_not_given_when_it_is(in_federation, settings, monkeypatch, how):
    settings.SDK_ANSWER_MEMORY_SECONDS = 2000
    monkeypatch.setattr(cache, "_memory", short_memory.ShortMemory())
    participant, _ = a_participant(in_federation)
    for _ in range(3):
        lookup.endpoint_of(participant, MESSAGE_RECEIPT)
    in_federation.change_participant(participant.value, published=False)
    assert lookup.endpoint_of(participant, MESSAGE_RECEIPT)
    if how == "dropped":
        lookup.drop_cached(participant, MESSAGE_RECEIPT)
    else:
        later = timezone.now() + timedelta(seconds=settings.SDK_METADATA_CACHE_SECONDS + 1)
        monkeypatch.setattr(cache.timezone, "now", lambda: later)
    with pytest.raises(ParticipantUnknown):
        lookup.endpoint_of(participant, MESSAGE_RECEIPT)


@pytest.mark.parametrize("seconds", [0, 90])
def test_how_long_an_answer_is_kept_is_what_the_setting_says(in_federation, settings, seconds):
    settings.SDK_METADATA_CACHE_SECONDS = seconds
    participant, _ = a_participant(in_federation)
    before = set(CachedAnswer.objects.values_list("pk", flat=True))
    earliest = timezone.now() + timedelta(seconds=seconds)
    lookup.service_metadata(participant, SDK_MESSAGE)
    latest = timezone.now() + timedelta(seconds=seconds)
    ends = CachedAnswer.objects.exclude(pk__in=before).values_list("expires_at", flat=True)
    assert [end for end in ends if earliest <= end <= latest]
    in_federation.change_participant(participant.value, published=False)
    if seconds:
        assert lookup.service_metadata(participant, SDK_MESSAGE)
    else:
        with pytest.raises(ParticipantUnknown):
            lookup.service_metadata(participant, SDK_MESSAGE)


def test_metadata_that_a_revoked_smp_signed_is_not_trusted(in_federation, monkeypatch):
    """C3.2.1 2.10 g. The other tests' SMP is the same, so only the answers about it are changed."""
    participant, _ = a_participant(in_federation)
    assert lookup.endpoint_of(participant, SDK_MESSAGE)
    serial = load_certificate(in_federation._smp_files().certificate).serial_number
    revoked = in_federation._revoked
    monkeypatch.setattr(in_federation, "_revoked", lambda name: [serial] if name == "smp" else revoked(name))
    CachedAnswer.objects.all().delete()
    with pytest.raises(MetadataUntrusted, match="revoked"):
        lookup.endpoint_of(participant, SDK_MESSAGE)


def test_metadata_of_another_smp_is_not_trusted(in_federation, settings, tmp_path):
    participant, _ = a_participant(in_federation)
    settings.SDK_SMP_CA_DIR = in_federation.trust_dir / "organisations"
    with pytest.raises(MetadataUntrusted):
        lookup.endpoint_of(participant, SDK_MESSAGE)


def test_dns_that_is_away_may_pass(in_federation, settings):
    settings.SDK_DNS_SERVERS = ["127.0.0.1:9"]
    settings.SDK_HTTP_TIMEOUT_SECONDS = 1
    with pytest.raises(LookupUnavailable) as unavailable:
        lookup.endpoint_of(ParticipantId("0203:habo.se"), SDK_MESSAGE)
    assert unavailable.value.may_pass


@pytest.mark.parametrize("source", ["crl", "ocsp"])
def test_a_revoked_certificate_is_found_by_crl_and_by_ocsp(in_federation, source, monkeypatch):
    files = in_federation.issue_organisation_key(uuid.uuid4().hex, "Spärrad")
    certificate = load_certificate(files.certificate)
    trust.check_organisation(certificate, Purpose.SIGNING)
    in_federation.revoke("organisations", files.certificate)
    CachedAnswer.objects.all().delete()
    fetch = trust.http.fetch

    def only_one_source(url, body=None, **options):
        if url.endswith(".crl") != (source == "crl"):
            raise trust.http.NoAnswer("away")
        return fetch(url, body, **options)

    monkeypatch.setattr(trust.http, "fetch", only_one_source)
    with pytest.raises(CertificateUntrusted) as untrusted:
        trust.check_organisation(certificate, Purpose.SIGNING)
    assert untrusted.value.cause is Cause.REVOKED


def test_when_nobody_can_say_the_certificate_waits(in_federation, monkeypatch):
    files = in_federation.issue_organisation_key(uuid.uuid4().hex, "Ingen svarar")

    def away(url, body=None, **options):
        raise trust.http.NoAnswer("away")

    CachedAnswer.objects.all().delete()
    monkeypatch.setattr(trust.http, "fetch", away)
    with pytest.raises(RevocationUnknown):
        trust.check_organisation(load_certificate(files.certificate), Purpose.SIGNING)


@pytest.mark.parametrize(
    ("validity", "cause"),
    [(Validity(-10, -1), Cause.EXPIRED), (Validity(1, 10), Cause.NOT_YET_VALID)],
)
def test_validity_is_judged(in_federation, validity, cause):
    files = in_federation.issue_organisation_key(uuid.uuid4().hex, "Fel tid", validity=validity)
    with pytest.raises(CertificateUntrusted) as untrusted:
        trust.check_organisation(load_certificate(files.certificate), Purpose.SIGNING)
    assert untrusted.value.cause is cause


def test_a_certificate_of_another_environment_is_not_trusted(in_federation):
    files = in_federation.issue_organisation_key(uuid.uuid4().hex, "Fel miljö")
    with pytest.raises(CertificateUntrusted) as untrusted:
        trust.check_access_point(load_certificate(files.certificate), Purpose.SIGNING)
    assert untrusted.value.cause is Cause.UNKNOWN_ISSUER
