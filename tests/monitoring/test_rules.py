"""The alert rules and the dashboard of deploy/monitoring, tried by Prometheus' tool on what a node tells."""

import json
import os
import shutil
import subprocess
import time
import uuid
from datetime import timedelta
from pathlib import Path

import pytest
import yaml
from django.utils import timezone

from addressbook.models import SyncRun
from mailbox.models import FunctionMailbox, UnattendedAlarm
from testbed.node import PROJECT
from testbed.services import free_port
from transport.causes import Cause
from transport.message_service.models import (
    Event,
    IncomingMessage,
    Organisation,
    OrganisationKey,
    OutgoingMessage,
    QuarantinedFile,
)
from transport.observation import figures
from transport.observation.steps import Step

MONITORING = PROJECT / "deploy" / "monitoring"
RULES = MONITORING / "alerts.yml"
ALERTS = {rule["alert"] for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]}
PROMTOOL = shutil.which("promtool")
LONG_ENOUGH = "2d"

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.skipif(not PROMTOOL and "CI" not in os.environ, reason="promtool is not here"),
]


@pytest.fixture(autouse=True)
def counts_of_its_own(monkeypatch) -> None:
    """What other tests of this process have counted is not this test's."""
    figures.flush()
    monkeypatch.setattr(figures, "_KEY", f"tests:{uuid.uuid4()}")


@pytest.fixture
def organisation(settings, tmp_path) -> Organisation:
    settings.SDK_ADDRESS_BOOK_URL = "https://addressbook.example/"
    settings.SDK_BACKUP_FILE = str(tmp_path / "backup")
    Path(settings.SDK_BACKUP_FILE).touch()
    SyncRun.objects.create(finished_at=timezone.now())
    return Organisation.objects.create(participant_id="0203:habo.se", name="Håbo")


def a_key(organisation: Organisation, days: int) -> None:
    OrganisationKey.objects.create(
        organisation=organisation,
        purpose=OrganisationKey.Purpose.SIGNING,
        private_key="none",
        certificate="none",
        fingerprint=uuid.uuid4().hex,
        valid_from=timezone.now(),
        valid_until=timezone.now() + timedelta(days=days),
    )


def an_arrival(organisation: Organisation, **values: object) -> IncomingMessage:
    return IncomingMessage.objects.create(
        transfer_id=uuid.uuid4(), organisation=organisation, arrived_at=timezone.now(), **values
    )


def a_failure(organisation: Organisation, cause: str) -> None:
    message = OutgoingMessage.objects.create(
        organisation=organisation,
        message_id=uuid.uuid4(),
        conversation_id=uuid.uuid4(),
        recipient="0203:af.se",
        handling_service_id="funktion",
        payload_name="none",
        state="MESSAGE_EXCHANGE_ERROR",
        cause=cause,
    )
    Event.objects.create(outgoing=message, name="MESSAGE_EXCHANGE_ERROR", cause=cause)


def promtool(*arguments: str) -> None:
    done = subprocess.run([str(PROMTOOL), *arguments], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr


def scraped(client) -> dict[str, float]:
    """The node's figures by series, as Prometheus stores them: with its labels for whom it asked."""
    text = client.get("/halsa/matt").content.decode()
    found = {'up{job="sdkportal",instance="node"}': 1.0}
    for line in text.splitlines():
        if not line.startswith("#"):
            series, _, value = line.rpartition(" ")
            name, _, labels = series.partition("{")
            own = 'job="sdkportal",instance="node"'
            found[f"{name}{{{own}{',' + labels if labels else '}'}"] = float(value)
    return found


def over_time(series: str, value: float) -> str:
    """A figure that stays for two days, or a count that grows by as much every five minutes."""
    is_count = series.startswith("sdk_step_seconds_")
    return f"0+{value:.3f}x576" if is_count else f"{value:.3f}x576"


def tried(tmp_path: Path, scraped_figures: dict[str, float], expected: dict[str, tuple[str, float]]) -> None:
    """Let two days pass with the figures, and compare expressions with the one value that each has then:
    labels and value."""
    # Prometheus' tool begins its clock at 1970, and knows no infinite values.
    now = time.time()
    values = {
        series: value - now if series.startswith("sdk_certificate_not_after") else min(value, 1e12)
        for series, value in scraped_figures.items()
    }
    test = {
        "rule_files": [str(RULES)],
        "evaluation_interval": "5m",
        "tests": [
            {
                "interval": "5m",
                "input_series": [
                    {"series": series, "values": over_time(series, value)} for series, value in values.items()
                ],
                "promql_expr_test": [
                    {
                        "expr": expression,
                        "eval_time": LONG_ENOUGH,
                        "exp_samples": [{"labels": labels, "value": value}],
                    }
                    for expression, (labels, value) in expected.items()
                ],
            }
        ],
    }
    path = tmp_path / "test.yml"
    path.write_text(yaml.safe_dump(test))
    promtool("test", "rules", str(path))


def firing(alert: str) -> str:
    return f'count(ALERTS{{alertname="{alert}",alertstate="firing"}}) > bool 0'


NOBODY = {'absent(ALERTS{alertstate="firing"})': ('{alertstate="firing"}', 1.0)}


def everything_is_wrong(organisation: Organisation, settings) -> None:
    long_ago = timezone.now() - timedelta(days=3)
    an_arrival(organisation, state="ARRIVED", due_at=long_ago)
    an_arrival(organisation, state="ERROR", cause=Cause.UNEXPECTED)
    for _ in range(11):
        a_failure(organisation, Cause.UNREACHABLE)
    an_arrival(organisation, state="ARRIVED", due_at=long_ago, cause=Cause.SCANNER_UNAVAILABLE)
    QuarantinedFile.objects.create(organisation=organisation, direction="in", signature="Eicar", size=1)
    figures.add(Step.SEAL, 20.0, count=100)
    figures.add(Step.SEND, 50.0, count=100)
    figures.flush()
    mailbox = FunctionMailbox.objects.create(participant_id="0203:habo.se", address="f", name="F")
    UnattendedAlarm.objects.create(mailbox=mailbox, reason=UnattendedAlarm.Reason.UNTAKEN, since=long_ago)
    a_key(organisation, 1)
    SyncRun.objects.update(finished_at=long_ago)
    os.utime(settings.SDK_BACKUP_FILE, (long_ago.timestamp(),) * 2)


def test_the_rules_can_be_read_by_prometheus():
    done = subprocess.run(
        [str(PROMTOOL), "check", "rules", str(RULES)], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_nothing_alerts_where_all_is_well(client, organisation, tmp_path):
    a_key(organisation, 300)
    an_arrival(organisation, state="NEW")
    a_failure(organisation, Cause.CANCELLED)
    for step in Step:
        figures.add(step, 0.2, count=100)
    # A slow counterpart, among others that are not.
    figures.add(Step.SEND, 59.0, count=20)
    figures.flush()
    tried(tmp_path, scraped(client), NOBODY)


def test_every_alert_fires_on_what_it_is_for(client, organisation, settings, tmp_path):
    everything_is_wrong(organisation, settings)
    expected = {firing(alert): ("{}", 1.0) for alert in ALERTS - {"NodeDoesNotAnswer"}}
    tried(tmp_path, scraped(client), expected)


def test_a_node_that_does_not_answer_is_told(tmp_path):
    tried(tmp_path, {'up{job="sdkportal",instance="node"}': 0.0}, {firing("NodeDoesNotAnswer"): ("{}", 1.0)})


def test_what_has_never_been_made_is_old(client, organisation, settings, tmp_path):
    SyncRun.objects.all().delete()
    Path(settings.SDK_BACKUP_FILE).unlink()
    expected = {firing(alert): ("{}", 1.0) for alert in ("AddressBookIsOld", "BackupIsOld")}
    tried(tmp_path, scraped(client), expected)


def test_what_the_operator_has_not_set_is_not_told(client, organisation, settings):
    settings.SDK_ADDRESS_BOOK_URL = settings.SDK_BACKUP_FILE = ""
    assert not [series for series in scraped(client) if "_age_" in series]


def test_every_panel_of_the_dashboard_shows_something(client, organisation, settings, tmp_path):
    everything_is_wrong(organisation, settings)
    panels = json.loads((MONITORING / "dashboard.json").read_text())["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels) >= 12
    expressions = [
        target["expr"].replace("$instance", ".*") for panel in panels for target in panel["targets"]
    ]
    assert not [expression for expression in expressions if "$" in expression]
    tried(tmp_path, scraped(client), {f"count({each}) > bool 0": ("{}", 1.0) for each in expressions})


def test_failures_are_told_by_cause_and_direction_and_only_those_of_the_last_hour(client, organisation):
    a_failure(organisation, Cause.UNREACHABLE)
    a_failure(organisation, "rejected: B-12, B-13")
    a_failure(organisation, Cause.REFUSED)
    Event.objects.filter(cause=Cause.REFUSED).update(at=timezone.now() - timedelta(hours=2))
    arrived = an_arrival(organisation, state="ERROR", cause=Cause.UNEXPECTED)
    Event.objects.create(incoming=arrived, name="ERROR", cause=Cause.UNEXPECTED)
    told = {series: count for series, count in scraped(client).items() if series.startswith("sdk_failed")}
    own = 'sdk_failed_messages{job="sdkportal",instance="node"'
    assert told == {
        f'{own},cause="rejected",direction="out"}}': 1,
        f'{own},cause="unexpected",direction="in"}}': 1,
        f'{own},cause="unreachable",direction="out"}}': 1,
    }


def test_the_times_of_steps_are_told_for_all_processes_together(client, organisation):
    figures.add(Step.OPEN, 0.02)
    figures.add(Step.OPEN, 0.2, count=2)
    figures.flush()
    # As another process would have counted.
    other = figures._Counts()
    other.add(Step.OPEN, 100.0, 1)
    other.end()
    told = scraped(client)

    def of_open(name: str, more: str = "") -> float:
        return told[f'sdk_step_seconds_{name}{{job="sdkportal",instance="node",{more}step="open"}}']

    assert of_open("count") == 4
    assert of_open("sum") == pytest.approx(100.42)
    assert [of_open("bucket", f'le="{le}",') for le in ("0.01", "0.025", "0.25", "60.0", "+Inf")] == [
        0,
        1,
        3,
        3,
        4,
    ]


def test_without_a_broker_everything_but_the_times_of_steps_is_told(client, organisation, settings):
    settings.CELERY_BROKER_URL = f"redis://127.0.0.1:{free_port()}/0"
    told = scraped(client)
    assert [series for series in told if series.startswith("sdk_due_jobs")]
    assert not [series for series in told if series.startswith("sdk_step")]
