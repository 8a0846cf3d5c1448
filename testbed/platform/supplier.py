"""How the access point under test is told to send: by a command, or by asking the person who runs it."""

import shlex
import subprocess

from transport.protocol.identifiers import ParticipantId

_TIMEOUT_SECONDS = 1800
DELIVERED = "delivered"


class CommandSupplier:
    """Runs a command with participant and function address as its last arguments.

    The last line that it prints is `delivered` or the error code.
    """

    def __init__(self, command: str) -> None:
        self._command = shlex.split(command)

    def send(self, recipient: ParticipantId, function: str) -> str:
        """As `Supplier.send`."""
        done = _run([*self._command, recipient.value, function])
        lines = done.stdout.strip().splitlines()
        if done.returncode or not lines:
            return f"kommandot slutade med {done.returncode} utan besked"
        return lines[-1].strip()


class AskingSupplier:
    """Asks at the terminal for a message to be sent, and for its outcome."""

    def send(self, recipient: ParticipantId, function: str) -> str:
        """As `Supplier.send`."""
        print(f"\nSkicka nu ett meddelande till {recipient}, funktion {function}.")
        code = input("När det är avgjort: felkod, eller Enter om det kom fram och kvitterades: ").strip()
        return code or DELIVERED


def output_of(command: str) -> str:
    """What a command writes to its standard output."""
    return _run(shlex.split(command)).stdout


def _run(command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT_SECONDS, check=False)
