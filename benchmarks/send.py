"""Sends transfers, two at a time, as two workers do: run by `benchmarks.nodes`, in its environment.

    python -m benchmarks.send KEY...

says `ready`, waits for a line, sends, and says how many were delivered.
"""

# ruff: noqa: T201

import multiprocessing
import sys

import django


def _ready(_: int) -> None:
    django.setup()
    from transport.access_point.keys import own_keys

    own_keys()


def _send(key: str) -> None:
    from transport.access_point import sending

    sending.send(key)


def main(keys: list[str]) -> int:
    django.setup()
    from transport.access_point.models import OutboundTransfer

    with multiprocessing.get_context("spawn").Pool(2, _ready, (0,)) as workers:
        workers.map(_ready, [0, 0, 0, 0])
        print("ready", flush=True)
        sys.stdin.readline()
        workers.map(_send, keys, chunksize=1)
        delivered = OutboundTransfer.objects.filter(pk__in=keys, state="DELIVERED").count()
        print(f"{delivered} delivered", flush=True)
        sys.stdin.readline()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
