"""Checks run beside each other: what fails or hangs stops no other."""

import ast
import io
import json
import re
import threading

import pytest
from django.core.management import call_command
from django.db import OperationalError

from sdkportal.doctor import checks, texts
from sdkportal.doctor.as_json import report
from sdkportal.doctor.examination import examine, level_of
from sdkportal.doctor.findings import Check, Level, failure, ok, warning
from testbed.node import PROJECT

ROOM = PROJECT / "sdkportal" / "doctor"


def raising(error: Exception):
    yield ok("before")
    raise error


def test_an_error_is_a_finding_and_stops_no_other():
    results = examine(
        [
            Check("a", lambda: raising(ValueError("content"))),
            Check("b", lambda: [ok("fine")]),
            Check("c", lambda: raising(OperationalError("password"))),
        ],
        at_once=1,
    )
    assert [(result.name, result.level) for result in results] == [
        ("a", Level.FAILURE),
        ("b", Level.OK),
        ("c", Level.FAILURE),
    ]
    assert [finding.code for finding in results[0].findings] == ["", "unexpected"]
    assert [finding.detail for finding in results[2].findings] == ["before", "OperationalError"]


def test_what_hangs_is_given_up_and_what_it_found_before_counts():
    never = threading.Event()

    def hanging():
        yield warning("clock-wrong", "before")
        never.wait(60)
        yield ok()

    try:
        results = examine([Check("a", hanging, 0.05), Check("b", lambda: [ok()])], at_once=1)
    finally:
        never.set()
    assert [finding.code for finding in results[0].findings] == ["clock-wrong", "no-answer-in-time"]
    assert results[1].level is Level.OK


@pytest.mark.parametrize(
    ("findings", "level"),
    [
        ([ok()], Level.OK),
        ([ok(), warning("disk-full")], Level.WARNING),
        ([warning("x"), failure("y")], 2),
        ([], 0),
    ],
)
def test_the_level_is_that_of_the_most_serious_finding(findings, level):
    assert level_of(examine([Check("a", lambda: findings)])) == level


def test_every_check_has_a_name_and_every_code_says_what_to_do():
    assert set(texts.NAMES) == {check.name for check in checks.CHECKS}
    codes = {"unexpected", "no-answer-in-time", "database-unavailable", "setting"}
    for path in ROOM.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in {"warning", "failure"}:
                codes |= {arg.value for arg in node.args[:1] if isinstance(arg, ast.Constant)}
            if isinstance(node, ast.IfExp):
                parts = [node.body, node.orelse]
                codes |= {
                    part.value
                    for part in parts
                    if isinstance(part, ast.Constant) and re.fullmatch(r"[a-z]+-[a-z-]+", str(part.value))
                }
    assert codes == set(texts.ADVICE)


def test_documentation_of_production_names_every_check():
    text = (PROJECT / "docs" / "production.md").read_text()
    assert [check.name for check in checks.CHECKS if f"| `{check.name}` |" not in text] == []


@pytest.fixture
def three_checks(monkeypatch):
    def set_to(*findings) -> None:
        chosen = [Check("database", lambda: findings[:1]), Check("disks", lambda: findings[1:])]
        monkeypatch.setattr("sdkportal.doctor.management.commands.doctor.CHECKS", chosen)

    return set_to


@pytest.mark.parametrize(
    ("finding", "status", "line"),
    [
        (ok("/: 3 GiB"), 0, "ok       disks             /: 3 GiB\n"),
        (
            warning("disk-full", "/: 1 GiB"),
            1,
            "warning  disks             /: 1 GiB. Free or add disk room.\n",
        ),
        (
            failure("disk-full", "/: 0 GiB"),
            2,
            "FAILED   disks             /: 0 GiB. Free or add disk room.\n",
        ),
    ],
)
def test_the_command_has_a_line_for_each_finding_and_an_exit_status(three_checks, finding, status, line):
    three_checks(ok("PostgreSQL 17"), finding)
    out = io.StringIO()
    with pytest.raises(SystemExit) as ended:
        call_command("doctor", stdout=out)
    assert ended.value.code == status
    assert out.getvalue() == "ok       database          PostgreSQL 17\n" + line


def test_the_command_tells_the_same_as_json(three_checks):
    three_checks(ok("PostgreSQL 17"), failure("disk-full", "/: 0 GiB"))
    out = io.StringIO()
    with pytest.raises(SystemExit) as ended:
        call_command("doctor", "--json", "--only", "disks", stdout=out)
    told = json.loads(out.getvalue())
    assert ended.value.code == 2
    assert told["level"] == "failure"
    (check,) = told["checks"]
    assert (check["name"], check["title"], check["level"]) == ("disks", "Disk room", "failure")
    assert check["findings"] == [
        {
            "level": "failure",
            "code": "disk-full",
            "detail": "/: 0 GiB",
            "participant": "",
            "advice": "Free or add disk room.",
        }
    ]


@pytest.mark.django_db(transaction=True)
def test_no_secret_of_the_settings_is_in_a_report(settings, tmp_path):
    """Everything is wrong, and nothing of it is repeated."""
    secret = "very-secret-and-long-enough-to-be-found"
    settings.CELERY_BROKER_URL = f"redis://:{secret}@127.0.0.1:1/0"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST_PASSWORD = settings.OIDC_RP_CLIENT_SECRET = secret
    settings.SDK_METRICS_TOKEN = settings.SECRET_KEY = settings.SDK_PERSON_KEY = secret
    settings.SDK_WRAPPING_KEY = secret
    settings.SDK_CLAMD = str(tmp_path / "nothing")
    settings.SDK_DNS_SERVERS = ["127.0.0.1:1"]
    settings.OIDC_OP_JWKS_ENDPOINT = "http://127.0.0.1:1/"
    told = json.dumps(report(examine(checks.CHECKS)))
    assert secret not in told
    assert told.count("failure") > 8
