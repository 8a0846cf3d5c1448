"""What the test federation knows: participants, access points, people.

It is kept in a JSON file, so that any process may add to it while the servers run.
"""

import fcntl
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Function:
    """A function address in the address book."""

    identifier: str
    name: str
    description: str = ""
    categories: tuple[str, ...] = ()
    search_words: tuple[str, ...] = ()


@dataclass(frozen=True)
class Person:
    """A fictional person who logs in with the test e-ID; `subject` is a made-up personal number."""

    subject: str
    name: str
    acr: str = "http://id.elegnamnden.se/loa/1.0/loa3"
    role_in_words: str = ""


class Register:
    """The file with the state: read again when it has changed, written under a lock."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._cached: tuple[int, dict[str, Any]] = (0, {})

    def read(self) -> dict[str, Any]:
        """The whole state."""
        try:
            changed = self._path.stat().st_mtime_ns
        except FileNotFoundError:
            return {}
        if changed != self._cached[0]:
            self._cached = (changed, json.loads(self._path.read_text()))
        return self._cached[1]

    def change(self, change: Callable[[dict[str, Any]], None]) -> None:
        """Apply a change to the state and replace the file atomically."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with (self._path.parent / "register.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            state = json.loads(self._path.read_text()) if self._path.exists() else {}
            change(state)
            replacement = self._path.with_suffix(".new")
            replacement.write_text(json.dumps(state, ensure_ascii=False, indent=1))
            replacement.replace(self._path)

    def put(self, kind: str, key: str, value: dict[str, Any]) -> None:
        """Add or replace one entry."""
        self.change(lambda state: state.setdefault(kind, {}).update({key: value}))

    def entries(self, kind: str) -> dict[str, Any]:
        """All entries of a kind, by key."""
        found: dict[str, Any] = self.read().get(kind, {})
        return found


def functions_as_json(functions: Sequence[Function]) -> list[dict[str, Any]]:
    """Functions as the register keeps them."""
    return [asdict(function) for function in functions]
