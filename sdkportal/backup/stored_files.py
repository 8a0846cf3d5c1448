"""The stored files that the node's rows name."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from django.apps import apps
from django.db import models

from transport.storage.blobs import BlobBinding

_BATCH: Final = 2000


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A stored file, the row that names it, and what it is bound to."""

    name: str
    model: type[models.Model]
    key: Any
    binding_name: str

    def binding(self) -> BlobBinding:
        """Raises `ObjectDoesNotExist` where the row has been removed meanwhile."""
        binding: BlobBinding = getattr(self.model._default_manager.get(pk=self.key), self.binding_name)
        return binding


def named_by_rows() -> Iterator[StoredFile]:
    """Every stored file that a row names, in the order of models and keys."""
    for model in apps.get_models():
        columns: dict[str, str] = getattr(model, "stored_files", {})
        for column, binding_name in columns.items():
            rows = model._default_manager.exclude(**{column: ""}).order_by("pk")
            for key, name in rows.values_list("pk", column).iterator(_BATCH):
                if name:
                    yield StoredFile(name, model, key, binding_name)
