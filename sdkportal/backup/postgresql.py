"""PostgreSQL's own programs, for the database of the settings."""

import os
import subprocess
import tempfile
from collections.abc import Generator
from contextlib import contextmanager, suppress
from typing import Any, BinaryIO, Final, cast

from django.conf import settings
from django.db import connection

from .errors import BackupError

# What libpq reads from the environment, by its name in a connection's parameters.
_VARIABLES: Final = {
    "host": "PGHOST",
    "port": "PGPORT",
    "user": "PGUSER",
    "password": "PGPASSWORD",
    "dbname": "PGDATABASE",
    "sslmode": "PGSSLMODE",
    "sslrootcert": "PGSSLROOTCERT",
    "sslcert": "PGSSLCERT",
    "sslkey": "PGSSLKEY",
    "target_session_attrs": "PGTARGETSESSIONATTRS",
}
_MOST_OF_AN_ERROR: Final = 2000


@contextmanager
def dumped(snapshot: str) -> Generator[BinaryIO, None, None]:
    """The database as `pg_dump -Fc` writes it, as one snapshot saw it. Raises `BackupError` if that fails, at
    the end."""
    with _program(
        "pg_dump",
        "--format=custom",
        "--no-owner",
        "--no-privileges",
        f"--snapshot={snapshot}",
        stdout=subprocess.PIPE,
    ) as process:
        yield cast(BinaryIO, process.stdout)


@contextmanager
def restoring() -> Generator[BinaryIO, None, None]:
    """Restore a dump that is written to the result into the database, in one transaction.

    Raises `BackupError` if that fails, at the end.
    """
    name = str(_parameters()["dbname"])
    with _program(
        "pg_restore",
        "--single-transaction",
        "--exit-on-error",
        "--no-owner",
        "--no-privileges",
        f"--dbname={name}",
        stdin=subprocess.PIPE,
    ) as process:
        yield cast(BinaryIO, process.stdin)


@contextmanager
def _program(
    name: str, *arguments: str, stdin: int | None = None, stdout: int | None = None
) -> Generator["subprocess.Popen[bytes]", None, None]:
    directory = settings.SDK_POSTGRESQL_PROGRAMS
    path = os.path.join(directory, name) if directory else name
    with tempfile.TemporaryFile(dir=settings.SDK_WORK_DIR) as errors:
        try:
            process = subprocess.Popen(  # noqa: S603 - a program of PostgreSQL, and nothing that people type
                [path, *arguments], env=_environment(), stdin=stdin, stdout=stdout, stderr=errors
            )
        except OSError:
            raise BackupError(
                f"{path} cannot be started: install PostgreSQL's client programs, or set "
                "SDK_POSTGRESQL_PROGRAMS."
            ) from None
        try:
            # A program that ends early breaks the pipe; it says why.
            with suppress(BrokenPipeError):
                yield process
            with suppress(BrokenPipeError):
                if process.stdin is not None:
                    process.stdin.close()
            process.wait()
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
            for stream in (process.stdin, process.stdout):
                if stream is not None:
                    with suppress(BrokenPipeError):
                        stream.close()
        if process.returncode:
            errors.seek(0)
            raise BackupError(f"{name} failed: {_first_lines(errors.read(_MOST_OF_AN_ERROR))}")


def _first_lines(errors: bytes) -> str:
    """What a program said went wrong, without the values of rows that a statement may repeat."""
    lines = errors.decode(errors="replace").splitlines()
    kept = [line for line in lines if not line.lstrip().startswith(("DETAIL", "CONTEXT", "Command was"))]
    return " / ".join(kept[:3]) or "it gave no reason"


def _environment() -> dict[str, str]:
    """The connection in variables: arguments are seen by everybody on the machine."""
    parameters = _parameters()
    own = {variable: str(parameters[name]) for name, variable in _VARIABLES.items() if parameters.get(name)}
    # A dump is read as it is, whatever the user's settings are.
    return {**os.environ, **own, "PGCLIENTENCODING": "UTF8"}


def _parameters() -> dict[str, Any]:
    return cast(dict[str, Any], connection.get_connection_params())
