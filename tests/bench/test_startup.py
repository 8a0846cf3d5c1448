"""How a server process starts."""

import gc
import os
import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("server", "answers"),
    [
        ("asgi", "mailbox.workplace.views"),
        ("wsgi", "mailbox.workplace.views"),
        ("wsgi_access_point", "transport.access_point.inbound"),
    ],
)
def test_what_a_server_has_loaded_is_left_out_of_garbage_collections(server, answers):
    run = _run(
        f"import gc, sys; import sdkportal.{server}; print(gc.get_freeze_count()); "
        f"assert {answers!r} in sys.modules"
    )
    assert run.returncode == 0, run.stderr
    assert int(run.stdout.split()[-1]) > 50_000


def test_pages_look_less_often_for_garbage_than_others():
    """The access point's garbage may hold a payload; that of pages is small, and what they keep is much."""
    thresholds = {}
    for server in ("asgi", "wsgi_access_point"):
        run = _run(f"import gc; import sdkportal.{server}; print(*gc.get_threshold())")
        assert run.returncode == 0, run.stderr
        thresholds[server] = tuple(map(int, run.stdout.splitlines()[-1].split()))
    assert thresholds["wsgi_access_point"] == gc.get_threshold()
    assert thresholds["asgi"][0] > gc.get_threshold()[0]


@pytest.mark.parametrize(
    ("process", "prepares"),
    [
        ("import sdkportal.asgi", False),
        ("import sdkportal.wsgi_access_point", True),
        ("import sdkportal; from celery.signals import worker_init; worker_init.send(None)", True),
    ],
)
def test_access_point_and_workers_prepare_their_statements_and_pages_do_not(process, prepares):
    run = _run(
        f"import django; django.setup(); {process}; from django.db import connection; "
        "options = connection.settings_dict['OPTIONS']; "
        "print(connection.features.uses_server_side_binding, options.get('server_side_binding'), "
        "options.get('prepare_threshold'))"
    )
    assert run.returncode == 0, run.stderr
    expected = "True True 5" if prepares else "False None None"
    assert run.stdout.splitlines()[-1] == expected


@pytest.mark.parametrize("library", ["asyncssh", "saml2", "pywebpush", "aiohttp"])
def test_what_few_nodes_use_is_not_loaded_by_every_process(library):
    run = _run(f"import sys; import sdkportal.asgi; assert {library!r} not in sys.modules")
    assert run.returncode == 0, run.stderr


def _run(script: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", script],
        env=os.environ
        | {
            "SDK_DEMO": "1",
            "DJANGO_SETTINGS_MODULE": "sdkportal.settings",
            "SDK_DATABASE_URL": "postgresql:///sdkportal",
        },
        capture_output=True,
        text=True,
        check=False,
    )
