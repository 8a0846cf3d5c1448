"""A node does not start with what is good for one machine only where others are answered."""

import os
import re
import subprocess
import sys

import pytest
from celery import current_app
from django.utils.module_loading import import_string

from sdkportal.startup import unsafe_settings
from testbed.node import PROJECT

GOOD = {
    "hosts": ["sdk.kommun.example"],
    "is_demo": False,
    "is_debug": False,
    "secret_key": "p7Q-3sJ_v0K1x2Y9z8W4u6T5r3E1a7S2d4F6g8H0j9L1m3N5b7",
    "person_key": "another-one-of-32-random-characters",
    "wrapping_keys": ["c29tZXRoaW5nIHRoYXQgbm9ib2R5IGtub3dzIGhlcmU="],
}


def started(**variables: str) -> subprocess.CompletedProcess[str]:
    """A management command that only reads the settings, with these variables and no others of ours."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SDK_")}
    return subprocess.run(
        [sys.executable, "-c", "import django; django.setup()"],
        cwd=PROJECT,
        env={**environment, "DJANGO_SETTINGS_MODULE": "sdkportal.settings", **variables},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"is_demo": True}, "SDK_DEMO"),
        ({"is_debug": True}, "SDK_DEBUG"),
        ({"secret_key": "short"}, "SDK_SECRET_KEY"),
        ({"secret_key": "x" * 60}, "SDK_SECRET_KEY"),
        ({"secret_key": "django-insecure-" + GOOD["secret_key"]}, "SDK_SECRET_KEY"),
        ({"secret_key": unsafe_settings.DEMO_SECRET}, "SDK_SECRET_KEY"),
        ({"person_key": "short"}, "SDK_PERSON_KEY"),
        ({"wrapping_keys": [*GOOD["wrapping_keys"], unsafe_settings.DEMO_WRAPPING_KEY]}, "SDK_WRAPPING_KEY"),
        ({"hosts": ["*"]}, "SDK_ALLOWED_HOSTS"),
    ],
)
@pytest.mark.parametrize("hosts", [["sdk.kommun.example"], ["localhost", "10.0.0.7"], ["localhost.example"]])
def test_what_is_known_or_short_is_refused_where_others_are_answered(changes, named, hosts):
    (wrong,) = unsafe_settings.problems(**{**GOOD, "hosts": hosts, **changes})
    assert named in wrong


@pytest.mark.parametrize(
    "hosts", [[], ["localhost"], ["127.0.0.1", "[::1]"], ["a.localhost"], [".localhost"], ["127.0.0.9"]]
)
def test_on_one_machine_the_demo_goes_on(hosts):
    demo = {"is_demo": True, "is_debug": True, "secret_key": unsafe_settings.DEMO_SECRET, "person_key": "x"}
    assert unsafe_settings.problems(**{**GOOD, **demo, "hosts": hosts}) == []


def test_a_node_with_secrets_of_its_own_starts():
    assert unsafe_settings.problems(**GOOD) == []


@pytest.mark.parametrize(
    ("variables", "named"),
    [
        ({"SDK_DEMO": "1", "SDK_ALLOWED_HOSTS": "sdk.kommun.example"}, "SDK_DEMO"),
        (
            {
                "SDK_SECRET_KEY": "short",
                "SDK_PERSON_KEY": "p" * 20 + "abcdefghijklmnop",
                "SDK_ALLOWED_HOSTS": "sdk.kommun.example",
            },
            "SDK_SECRET_KEY",
        ),
        ({"SDK_SECRET_KEY": str(GOOD["secret_key"])}, "SDK_PERSON_KEY"),
    ],
)
def test_no_process_starts_with_them(variables, named):
    done = started(**variables)
    assert done.returncode != 0
    assert named in done.stderr
    assert "short" not in done.stderr.replace("known or short", "")


def test_the_check_before_deployment_names_all_that_is_missing(tmp_path):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SDK_")}
    done = subprocess.run(
        [sys.executable, "manage.py", "check", "--deploy"],
        cwd=PROJECT,
        env={
            **environment,
            "SDK_SECRET_KEY": str(GOOD["secret_key"]),
            "SDK_PERSON_KEY": str(GOOD["person_key"]),
            "SDK_ALLOWED_HOSTS": "sdk.kommun.example",
            "SDK_DATA_DIR": str(tmp_path),
            "SDK_STATIC_DIR": str(tmp_path),
            "SDK_BROKER_URL": "redis://broker.example/0",
            "SDK_DATABASE_URL": "postgresql://sdkportal@database.example/sdkportal",
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode != 0
    for named in (
        "SDK_OIDC_ISSUER",
        "SDK_OIDC_CLIENT_KEY",
        "SDK_SML_ZONE",
        "SDK_WRAPPING_KEY",
        "SDK_ACCESS_POINT_KEY",
        "SDK_TLS_CLIENT_HEADER",
        "SDK_TLS_CLIENT_CERTIFICATE",
        "SDK_TRUST_DIR",
        "SDK_PUBLIC_URL",
        "SDK_BROKER_URL has no password",
        "SDK_BROKER_URL goes over a network",
        "SDK_DATABASE_URL goes over a network",
        "SDK_CLIENT_ADDRESS_HEADER",
    ):
        assert named in done.stderr, named


@pytest.mark.django_db
def test_the_check_counts_the_connections_of_all_processes(settings):
    from sdkportal.startup.checks import check_database_connections, connections_needed

    assert check_database_connections(None, ["default"]) == []
    settings.SDK_PAGES_PROCESSES = 200
    (error,) = check_database_connections(None, ["default"])
    assert str(connections_needed()) in error.msg
    assert check_database_connections(None, []) == []


@pytest.mark.parametrize("unit", ["worker", "transport", "notices"])
def test_the_check_counts_the_workers_of_each_unit_as_its_file_starts_them(settings, unit):
    """Each worker has a connection of its own, and one for the thread that keeps its lease."""
    from sdkportal.startup.checks import connections_needed

    text = (PROJECT / "deploy" / "systemd" / f"sdkportal-{unit}.service").read_text()
    (variable,) = re.findall(r"--concurrency \$\{(SDK_\w+)\}", text)
    assert f"Environment={variable}={getattr(settings, variable)}\n" in text
    before = connections_needed()
    setattr(settings, variable, getattr(settings, variable) + 3)
    assert connections_needed() == before + 6


def test_every_unit_may_open_more_files_than_there_are_streams_and_senders():
    units = sorted((PROJECT / "deploy" / "systemd").glob("sdkportal-*.service"))
    assert len(units) > 5
    for unit in units:
        (most,) = re.findall(r"^LimitNOFILE=(\d+)$", unit.read_text(), re.MULTILINE)
        assert int(most) >= 10_000, unit.name


def test_each_queue_has_a_unit_whose_workers_serve_it_alone(settings):
    units = (PROJECT / "deploy" / "systemd").glob("sdkportal-*.service")
    served = [queue for unit in units for queue in re.findall(r"--queues (\S+)", unit.read_text())]
    assert sorted(served) == sorted(queue.name for queue in settings.CELERY_TASK_QUEUES)


@pytest.mark.parametrize(
    ("name", "queue"),
    [
        ("transport.access_point.tasks.send_due", "transport"),
        ("transport.message_api.tasks.send_webhook", "notices"),
        ("mailbox.tasks.send_notices", "notices"),
        ("addressbook.tasks.synchronise", "notices"),
        ("transport.message_service.tasks.seal_due", "celery"),
        ("transport.message_service.tasks.validate_due", "celery"),
    ],
)
def test_what_waits_for_others_servers_holds_up_no_other_work(name, queue):
    task = import_string(name)
    assert current_app.amqp.router.route({}, task.name)["queue"].name == queue
