"""The largest message in a worker of the message service: its memory, as the kernel counts it."""

import os
import subprocess
import sys

import pytest

from testbed.node import PROJECT
from tests.transport.access_point.test_size import ALLOWED_GROWTH, MEGABYTE, environment_of
from tests.world import work_is_clean
from transport.access_point import outbound as access_point_sending
from transport.access_point.models import OutboundTransfer
from transport.message_service import orders
from transport.message_service.models import IncomingMessage, OutgoingMessage
from transport.protocol.sdk_message.message import BytesContent, File

pytestmark = pytest.mark.xdist_group("federation-messages")
# Written in base64 it is a message of nearly 30 MiB.
ATTACHMENT = 22 * MEGABYTE
_WORKER = """
import sys, django; django.setup()
from pathlib import Path
from transport.message_service.{module} import {step}
def field(name):
    lines = Path("/proc/self/status").read_text().splitlines()
    return int([line for line in lines if line.startswith(name)][0].split()[1]) * 1024
{step}(sys.argv[1])
Path("/proc/self/clear_refs").write_text("5")
idle = field("VmRSS")
{step}(sys.argv[2])
sys.stdout.write(str(field("VmHWM") - idle))
"""


def growth(world, settings, federation, module: str, step: str, keys: list) -> int:
    """How far a process grows over idle that takes the second step, having done the first."""
    done = subprocess.run(
        [sys.executable, "-c", _WORKER.format(module=module, step=step), *map(str, keys)],
        cwd=PROJECT,
        env=environment_of(world, settings, federation),
        capture_output=True,
        text=True,
        check=True,
    )
    return int(done.stdout.splitlines()[-1])


def test_sealing_and_opening_the_largest_message_take_bounded_memory(world, settings, federation):
    for size in (1000, ATTACHMENT):
        file = File("karta.png", "image/png", BytesContent(os.urandom(size)))
        orders.order(world.message(files=(file,)), actor="Karin")
    ordered = list(OutgoingMessage.objects.order_by("created_at").values_list("pk", flat=True))
    sealing = growth(world, settings, federation, "outbound", "seal_and_submit", ordered)
    assert set(OutgoingMessage.objects.values_list("state", flat=True)) == {"SUBMITTED"}
    for key in OutboundTransfer.objects.order_by("created_at").values_list("pk", flat=True):
        access_point_sending.send(key)
    arrived = list(IncomingMessage.objects.order_by("arrived_at").values_list("pk", flat=True))
    opening = growth(world, settings, federation, "inbound", "process", arrived)
    assert list(IncomingMessage.objects.values_list("is_accepted", flat=True)) == [True, True]
    measured = f"sealing {sealing / MEGABYTE:.0f} MB, opening {opening / MEGABYTE:.0f} MB"
    assert max(sealing, opening) < ALLOWED_GROWTH, measured
    assert work_is_clean(settings.SDK_WORK_DIR)
