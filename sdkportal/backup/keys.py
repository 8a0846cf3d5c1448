"""The keys of backups: age keys (X25519). A node has the public ones only: it cannot open its own backups."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pyrage

from .errors import BackupError

KeyT = TypeVar("KeyT")


def recipients(texts: list[str]) -> list[pyrage.x25519.Recipient]:
    """Public keys from their text (`age1...`). Raises `BackupError` if there is none, or one is not a key."""
    if not texts:
        raise BackupError("No public key to encrypt to: set SDK_BACKUP_RECIPIENTS, see docs/production.md.")
    found = []
    for number, text in enumerate(texts, 1):
        try:
            found.append(pyrage.x25519.Recipient.from_str(text))
        except pyrage.RecipientError:
            raise BackupError(
                f"Public key {number} of SDK_BACKUP_RECIPIENTS is not an age1... key."
            ) from None
    return found


def identities(path: Path) -> list[pyrage.x25519.Identity]:
    """Private keys from a file as `age-keygen` writes it: a key a line, and comments with #."""
    return _keys_in(path, pyrage.x25519.Identity.from_str, "private", "an AGE-SECRET-KEY-1...")


def recipients_in(path: Path) -> list[pyrage.x25519.Recipient]:
    """Public keys from a file: an `age1...` a line, and comments with #."""
    return _keys_in(path, pyrage.x25519.Recipient.from_str, "public", "an age1...")


def _keys_in(path: Path, key_of: Callable[[str], KeyT], kind: str, form: str) -> list[KeyT]:
    try:
        lines = path.read_text(encoding="ascii").splitlines()
    except (OSError, UnicodeDecodeError):
        raise BackupError(f"{path} cannot be read as a file of {kind} keys") from None
    found = []
    for number, line in enumerate(lines, 1):
        text = line.strip()
        if text and not text.startswith("#"):
            try:
                found.append(key_of(text))
            except (pyrage.IdentityError, pyrage.RecipientError):
                raise BackupError(f"{path}, line {number}: not {form} key") from None
    if not found:
        raise BackupError(f"{path} holds no {kind} key")
    return found


def make_key(path: Path) -> str:
    """Write a new private key to a file that only its owner may read; its public key.

    Raises `BackupError` if the file exists: the key in it may be the only one that opens a backup.
    """
    identity = pyrage.x25519.Identity.generate()
    public = str(identity.to_public())
    try:
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as out:
            out.write(f"# public key: {public}\n{identity}\n")
            out.flush()
            os.fsync(out.fileno())
    except FileExistsError:
        raise BackupError(f"{path} exists") from None
    return public
