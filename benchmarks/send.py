"""Sends transfers one after another, as a worker does; `benchmarks.access_points` runs it.

    python -m benchmarks.send < KEYS

prints `ready`. It then reads keys, one a line up to an empty line, sends those transfers, prints how many
were delivered, and reads the next keys.
"""

# ruff: noqa: T201

import sys

import django


def main() -> int:
    """Send transfers until stdin ends; returns the exit code."""
    django.setup()
    from sdkportal.postgresql import prepare_statements
    from sdkportal.startup.garbage_collection import freeze_objects

    prepare_statements()
    from transport.access_point import outbound
    from transport.access_point.keys import own_keys
    from transport.access_point.models import OutboundTransfer

    own_keys()
    freeze_objects()
    print("ready", flush=True)
    keys: list[str] = []
    for line in sys.stdin:
        if line.strip():
            keys.append(line.strip())
            continue
        for key in keys:
            outbound.send(key)
        delivered = OutboundTransfer.objects.filter(pk__in=keys, state="DELIVERED").count()
        print(delivered, flush=True)
        keys = []
    return 0


if __name__ == "__main__":
    sys.exit(main())
