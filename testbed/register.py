"""What the test federation knows: participants, access points, people. A JSON file, so that any process
may add to it while the servers run."""

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
    """Somebody who logs in with the test e-ID; fictional, `subject` is a made-up personal number."""

    subject: str
    name: str
    acr: str = "http://id.elegnamnden.se/loa/1.0/loa3"
    role_in_words: str = ""


class Register:
    """Reads the file anew when it has changed; writes under a lock."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known: tuple[int, dict[str, Any]] = (0, {})

    def read(self) -> dict[str, Any]:
        """The whole state."""
        try:
            changed = self._path.stat().st_mtime_ns
        except FileNotFoundError:
            return {}
        if changed != self._known[0]:
            self._known = (changed, json.loads(self._path.read_text()))
        return self._known[1]

    def change(self, change: Callable[[dict[str, Any]], None]) -> None:
        """Apply a change to the state and put it in the file's place at once."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with (self._path.parent / "register.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            state = json.loads(self._path.read_text()) if self._path.exists() else {}
            change(state)
            fresh = self._path.with_suffix(".new")
            fresh.write_text(json.dumps(state, ensure_ascii=False, indent=1))
            fresh.replace(self._path)

    def put(self, kind: str, key: str, value: dict[str, Any]) -> None:
        """Add or replace one entry."""
        self.change(lambda state: state.setdefault(kind, {}).update({key: value}))

    def entries(self, kind: str) -> dict[str, Any]:
        """All entries of a kind, by key."""
        found: dict[str, Any] = self.read().get(kind, {})
        return found


def functions_as_json(functions: Sequence[Function]) -> list[dict[str, Any]]:
    return [asdict(function) for function in functions]
