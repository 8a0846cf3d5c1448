"""ClamAV's daemon for demo and tests, with one signature: that of the EICAR test file."""

import contextlib
import shutil
import socket
import subprocess
import time
from pathlib import Path
from typing import Final

from transport.storage.malware import TEST_FILE

from .services import ServiceNotStarted, terminate

EICAR: Final = TEST_FILE
SIGNATURE: Final = "Eicar-Test-Signature"
_PROGRAM: Final = "/usr/sbin/clamd"
_START_SECONDS: Final = 30.0
_LARGEST: Final = "64M"


class ClamAV:
    """One daemon, on a Unix socket in a directory.

    `largest` is the longest stream that it accepts, and `largest_file` the longest file that it looks into.
    """

    def __init__(self, directory: Path, *, largest: str = _LARGEST, largest_file: str = _LARGEST) -> None:
        self._directory = directory
        self._largest = largest
        self._largest_file = largest_file
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        """The socket's path, for `SDK_CLAMD`."""
        return str(self._directory / "clamd.sock")

    def start(self) -> None:
        """Start it, and return when it answers."""
        program = shutil.which(_PROGRAM)
        if program is None:
            raise ServiceNotStarted(f"{_PROGRAM} is missing. Run: sudo apt-get install clamav-daemon")
        configuration = self._write()
        log = self._directory / "clamd.log"
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [program, "--foreground", "--config-file", str(configuration)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline and self._process.poll() is None:
            if self._answers():
                return
            time.sleep(0.05)
        self.stop()
        raise ServiceNotStarted(f"ClamAV did not start in {self._directory}; see {log}")

    def stop(self) -> None:
        if self._process is not None:
            terminate(self._process)
        self._process = None

    def _write(self) -> Path:
        signatures = self._directory / "signatures"
        signatures.mkdir(parents=True, exist_ok=True)
        (signatures / "eicar.ndb").write_text(f"{SIGNATURE}:0:*:{EICAR.hex()}\n")
        configuration = self._directory / "clamd.conf"
        lines = {
            "DatabaseDirectory": signatures,
            "LocalSocket": self.address,
            "FixStaleSocket": "yes",
            "TemporaryDirectory": self._directory,
            "StreamMaxLength": self._largest,
            "MaxFileSize": self._largest_file,
            "MaxScanSize": "256M",
            "Bytecode": "no",
            "MaxThreads": 4,
        }
        configuration.write_text("".join(f"{name} {value}\n" for name, value in lines.items()))
        return configuration

    def _answers(self) -> bool:
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as client:
            client.settimeout(2)
            client.connect(self.address)
            client.sendall(b"zPING\0")
            return client.recv(16).startswith(b"PONG")
        return False
