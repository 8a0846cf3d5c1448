"""Sends transfers one after another, as a worker does: run by `benchmarks.nodes`, in its environment.

    python -m benchmarks.send < KEYS

says `ready`, reads keys a line until an empty one, sends them, and says how many were delivered; then again.
"""

# ruff: noqa: T201

import sys

import django


def main() -> int:
    django.setup()
    from sdkportal.memory import leave_alone
    from sdkportal.postgresql import prepare_statements

    prepare_statements()
    from transport.access_point import sending
    from transport.access_point.keys import own_keys
    from transport.access_point.models import OutboundTransfer

    own_keys()
    leave_alone()
    print("ready", flush=True)
    keys: list[str] = []
    for line in sys.stdin:
        if line.strip():
            keys.append(line.strip())
            continue
        for key in keys:
            sending.send(key)
        delivered = OutboundTransfer.objects.filter(pk__in=keys, state="DELIVERED").count()
        print(delivered, flush=True)
        keys = []
    return 0


if __name__ == "__main__":
    sys.exit(main())
