"""Files in an object store (S3). One that does not answer is an error of the system, as a full disk is.

Those who use storage wait and try again after an `OSError`; boto3's own errors are none, and its time limits
are ten times as long as a page or an access point that posts to us waits.
"""

from collections.abc import Generator
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Final

from boto3.exceptions import Boto3Error
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from storages.backends.s3 import S3File, S3Storage
from storages.utils import clean_name

from .errors import StorageUnavailable

# Each of the two attempts waits so long for a connection, and for the next bytes.
_LIMITS: Final = Config(
    connect_timeout=3, read_timeout=10, retries={"mode": "standard", "total_max_attempts": 2}
)
_NOT_FOUND: Final = 404


@contextmanager
def _as_system_errors() -> Generator[None, None, None]:
    """Raises `FileNotFoundError` for an object that is not there, `StorageUnavailable` for the rest."""
    try:
        yield
    except ClientError as error:
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
        if status == _NOT_FOUND:
            raise FileNotFoundError("the object is not there") from None
        raise StorageUnavailable(f"the object store answered with status {status}") from None
    except (BotoCoreError, Boto3Error) as error:
        raise StorageUnavailable(f"the object store: {type(error).__name__}") from None


class ObjectFile(S3File):  # type: ignore[misc]
    """An object's bytes, fetched when they are first read."""

    def _get_file(self) -> Any:
        with _as_system_errors():
            return super()._get_file()

    file = property(_get_file, S3File._set_file)


class ObjectStore(S3Storage):  # type: ignore[misc]
    """django-storages' S3, with time limits, and errors that are `OSError`."""

    def get_default_settings(self) -> dict[str, Any]:
        return {**super().get_default_settings(), "client_config": _LIMITS}

    def _open(self, name: str, mode: str = "rb") -> ObjectFile:
        with _as_system_errors():
            return ObjectFile(self._normalize_name(clean_name(name)), mode, self)

    def _save(self, name: str, content: Any) -> str:
        with _as_system_errors():
            return str(super()._save(name, content))

    def delete(self, name: str) -> None:
        with _as_system_errors():
            super().delete(name)

    def exists(self, name: str) -> bool:
        with _as_system_errors():
            return bool(super().exists(name))

    def listdir(self, path: str) -> tuple[list[str], list[str]]:
        with _as_system_errors():
            folders, files = super().listdir(path)
            return folders, files

    def size(self, name: str) -> int:
        with _as_system_errors():
            return int(super().size(name))

    def get_modified_time(self, name: str) -> datetime:
        with _as_system_errors():
            found: datetime = super().get_modified_time(name)
            return found
