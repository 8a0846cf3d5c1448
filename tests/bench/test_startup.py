"""How a server process starts."""

import os
import subprocess
import sys

import pytest


@pytest.mark.parametrize("server", ["asgi", "wsgi"])
def test_what_a_server_has_loaded_is_left_out_of_garbage_collections(server):
    script = (
        f"import gc, sys; import sdkportal.{server}; print(gc.get_freeze_count()); "
        "assert 'mailbox.views.conversations' in sys.modules"
    )
    run = subprocess.run(
        [sys.executable, "-c", script],
        env=os.environ | {"SDK_DEMO": "1", "DJANGO_SETTINGS_MODULE": "sdkportal.settings"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert int(run.stdout.split()[-1]) > 50_000
