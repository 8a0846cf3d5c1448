"""The stored files of an import: decrypted and encrypted anew, as streams, under the names that they had."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from django.core.files.storage import default_storage
from django.utils import timezone

from sdkportal.backup.errors import BackupError
from sdkportal.backup.targets import Piece, Target, verified
from transport.storage import blobs
from transport.storage.encryption import files
from transport.storage.encryption.errors import AtRestError
from transport.storage.encryption.keys import key_of

from . import manifests
from .errors import LeavingError
from .manifests import StoredFile
from .sealed_files import Identities, as_binary, opened

_RECENT: Final = timedelta(days=4)


@dataclass(frozen=True, slots=True)
class StoredFiles:
    """Stores the files of an export for an organisation. What is there and whole is left: an import that was
    interrupted goes on."""

    target: Target
    identities: Identities
    participant_id: str

    def store_all(self, *, only_recent: bool = False) -> int:
        """Store what is not there yet; how many files. Raises `LeavingError`.

        `only_recent` looks at the files of the last days alone: those are what a sweeper removes while no row
        names them.
        """
        first_day = f"{timezone.now() - _RECENT:%Y/%m/%d}"
        count = 0
        for file in manifests.stored_files(self.target):
            if only_recent and file.name.partition("/")[2] < first_day:
                continue
            if not file.is_missing and not self._is_there(file):
                self._store(file)
                count += 1
        return count

    def remove_all(self) -> int:
        """Remove the files that are there and this organisation's; how many."""
        count = 0
        for file in manifests.stored_files(self.target):
            if not file.is_missing and default_storage.exists(file.name) and self._is_own(file.name):
                blobs.remove(file.name)
                count += 1
        return count

    def _is_there(self, file: StoredFile) -> bool:
        """Whether the file is there and whole. One of ours that is not is removed; one of somebody else is
        left alone, and raises `LeavingError`."""
        if not default_storage.exists(file.name):
            return False
        try:
            with blobs.open_stored(file.name, file.binding(self.participant_id)) as content:
                if content.seek(0, 2) == file.content_size:
                    return True
        except (AtRestError, OSError):
            pass
        if not self._is_own(file.name):
            raise LeavingError(f"{file.name} is in storage already, and not this organisation's.")
        blobs.remove(file.name)
        return False

    def _is_own(self, name: str) -> bool:
        """Whether a file is encrypted for the organisation, or was cut off before it tells."""
        if default_storage.size(name) < files.HEADER:
            return True
        try:
            key = blobs.sealed_with(name)
            return key is not None and key_of(key).participant == self.participant_id
        except AtRestError:
            return False

    def _store(self, file: StoredFile) -> None:
        piece = Piece(file.size, file.sha256)
        stored = ""
        try:
            with (
                verified(self.target, file.kept_name, piece) as source,
                opened(source, self.identities, file.kept_name) as content,
            ):
                stored = blobs.store(file.name, as_binary(content), file.binding(self.participant_id))
        except BaseException as error:
            blobs.remove(stored)
            if isinstance(error, BackupError):
                raise LeavingError(f"{error}.") from None
            raise
        if stored != file.name:
            blobs.remove(stored)
            raise LeavingError(f"{file.name} cannot be stored under its name.")
