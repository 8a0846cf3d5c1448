"""What benchmarks stand on: a federation, a database server, a broker and a scanner of their own."""

import logging
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from testbed.clamav import ClamAV
from testbed.federation import Federation
from testbed.services import Postgres, Valkey, free_port


@contextmanager
def started(directory: Path) -> Iterator[tuple[Federation, Postgres]]:
    """The federation, a database, a broker and a scanner; this process is set up for them."""
    import django
    from django.core.management import call_command

    # The testbed's servers in this process would write a line a request.
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    postgres, scanner = Postgres(directory / "postgres"), ClamAV(directory / "clamav")
    broker = Valkey(directory / "broker", free_port())
    federation = Federation(directory / "federation")
    with ExitStack() as running:
        for service in (postgres, scanner, broker):
            service.start()
            running.callback(service.stop)
        postgres.ensure_database("bench")
        federation.prepare()
        federation.start()
        running.callback(federation.stop)
        os.environ |= {
            **federation.environment(),
            "SDK_DEMO": "1",
            "SDK_LOG_LEVEL": "WARNING",
            "SDK_DATABASE_URL": postgres.url("bench"),
            # Workers are woken for what arrives, as on a node; none is there to take it.
            "SDK_BROKER_URL": broker.url,
            "SDK_CLAMD": scanner.address,
            "SDK_DATA_DIR": str(directory / "served" / "data"),
            "SDK_WORK_DIR": str(directory / "served" / "work"),
            "DJANGO_SETTINGS_MODULE": "sdkportal.settings",
        }
        django.setup()
        call_command("migrate", verbosity=0)
        yield federation, postgres
