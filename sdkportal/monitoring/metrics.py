"""/halsa/matt: metrics in Prometheus' text format, for permitted networks and holders of the token.

Counts and times only. Certificates are told apart by use and the beginning of their fingerprint.
"""

import hmac
import math
from collections.abc import Iterator
from ipaddress import ip_address, ip_network

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_safe
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, HistogramMetricFamily
from redis import RedisError

from addressbook.synchronisation import latest_copy_age_seconds
from mailbox.administration import alarms, counterparts, quarantine
from transport.certificate_watch.watch import held_certificates
from transport.message_service.tracking.failures import failures_of_last_hour
from transport.observation import figures as step_figures
from transport.observation.steps import Step
from transport.remote_message_service import figures

from .backup import backup_age_seconds
from .due_jobs import due_jobs


@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """The metrics; 404 without permission to read them."""
    if not _may_read(request):
        raise Http404
    registry = CollectorRegistry()
    registry.register(_Collector())
    return HttpResponse(generate_latest(registry), content_type="text/plain; version=0.0.4; charset=utf-8")


class _Collector:
    """Reads the figures from the database, and those of steps from the broker, for each request."""

    def collect(self) -> Iterator[GaugeMetricFamily | HistogramMetricFamily]:
        unattended = GaugeMetricFamily(
            "sdk_unattended_mailboxes", "Open mailboxes that are unattended.", labels=["reason"]
        )
        for reason, count in alarms.counts().items():
            unattended.add_metric([reason], count)
        yield unattended
        malware = quarantine.counts()
        yield GaugeMetricFamily(
            "sdk_quarantined_files",
            "Quarantined files and texts that no administrator has dealt with.",
            value=malware["found"],
        )
        yield GaugeMetricFamily(
            "sdk_messages_waiting_for_scanner",
            "Messages that wait because the malware scanner does not answer.",
            value=malware["waiting"],
        )
        yield GaugeMetricFamily(
            "sdk_arrivals_set_aside",
            "Inbound messages that could not be validated and wait for an administrator.",
            value=counterparts.count_set_aside(),
        )
        ends = GaugeMetricFamily(
            "sdk_certificate_not_after_seconds",
            "When a certificate of this node ends, in seconds since 1970.",
            labels=["holder", "use", "fingerprint"],
        )
        for certificate in held_certificates():
            labels = [certificate.holder, certificate.use, certificate.fingerprint[:16]]
            ends.add_metric(labels, certificate.valid_until.timestamp())
        yield ends
        yield from _due_jobs()
        yield from _step_times()
        yield _failures()
        yield from _remote_services()
        yield from _ages()


def _due_jobs() -> Iterator[GaugeMetricFamily]:
    number = GaugeMetricFamily("sdk_due_jobs", "Jobs that are due and that no worker holds.", labels=["kind"])
    oldest = GaugeMetricFamily(
        "sdk_oldest_due_job_seconds", "How long the oldest of them has been due.", labels=["kind"]
    )
    for due in due_jobs():
        number.add_metric([due.kind], due.count)
        oldest.add_metric([due.kind], due.oldest_seconds)
    yield number
    yield oldest


def _step_times() -> Iterator[HistogramMetricFamily]:
    """Nothing while the broker, which counts for all processes, does not answer."""
    try:
        histograms = step_figures.histograms(Step)
    except RedisError:
        return
    times = HistogramMetricFamily(
        "sdk_step_seconds", "How long each step of a message has taken.", labels=["step"]
    )
    for found in histograms:
        times.add_metric([found.step], found.buckets, found.sum_seconds)
    yield times


def _remote_services() -> Iterator[GaugeMetricFamily]:
    """Nothing where no function uses another message service."""
    silence = figures.longest_silence()
    if silence is not None:
        yield GaugeMetricFamily(
            "sdk_remote_service_silence_seconds",
            "How long ago the other message service that has been silent for longest answered.",
            value=silence,
        )
    number = GaugeMetricFamily(
        "sdk_remote_messages", "Messages of functions that use another message service.", labels=["state"]
    )
    oldest = GaugeMetricFamily(
        "sdk_oldest_remote_message_seconds", "How long the oldest of them has been waiting.", labels=["state"]
    )
    for waiting in figures.waiting():
        number.add_metric([waiting.state], waiting.count)
        oldest.add_metric([waiting.state], waiting.oldest_seconds)
    yield number
    yield oldest


def _failures() -> GaugeMetricFamily:
    failed = GaugeMetricFamily(
        "sdk_failed_messages",
        "Messages that failed within the last hour, among the latest 20,000 events.",
        labels=["direction", "cause"],
    )
    for (direction, cause), count in failures_of_last_hour().items():
        failed.add_metric([direction, cause], count)
    return failed


def _ages() -> Iterator[GaugeMetricFamily]:
    """Nothing of what the operator has not set; what has never been made is infinitely old."""
    if settings.SDK_ADDRESS_BOOK_URL:
        yield GaugeMetricFamily(
            "sdk_address_book_age_seconds",
            "How long ago the federation's address book was copied.",
            value=_known(latest_copy_age_seconds()),
        )
    if settings.SDK_BACKUP_FILE:
        yield GaugeMetricFamily(
            "sdk_backup_age_seconds",
            "How long ago a backup ended well.",
            value=_known(backup_age_seconds()),
        )


def _known(age: float | None) -> float:
    return math.inf if age is None else age


def _may_read(request: HttpRequest) -> bool:
    """By token; by address only without a proxy, whose address says nothing about the caller."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    expected = settings.SDK_METRICS_TOKEN
    if expected and scheme.lower() == "bearer" and hmac.compare_digest(token.encode(), expected.encode()):
        return True
    if any(name.lower().startswith(("x-forwarded", "forwarded")) for name in request.headers):
        return False
    try:
        address = ip_address(request.META.get("REMOTE_ADDR", ""))
    except ValueError:
        return False
    return any(address in ip_network(network) for network in settings.SDK_METRICS_NETWORKS)
