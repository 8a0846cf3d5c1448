"""Which people the values of an exported row name."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from .belongings import PERSON, model_of
from .references import REFERENCES, renewed


class _Noting:
    """Leaves every key as it is, and notes those of people."""

    def __init__(self) -> None:
        self.people: set[int] = set()

    def of(self, label: str, key: Any) -> Any:
        if label == PERSON:
            self.people.add(key)
        return key


def people_named(label: str, values: Mapping[str, Any]) -> set[int]:
    """The keys of the people whom a row names, in its foreign keys or in its values."""
    found = {values[name] for name in people_columns(label) if values.get(name) is not None}
    if any(model == label for model, _ in REFERENCES):
        noting = _Noting()
        renewed(label, values, noting)
        found |= noting.people
    return found


@lru_cache(maxsize=256)
def people_columns(label: str) -> tuple[str, ...]:
    """The foreign keys of a model that name people."""
    fields = model_of(label)._meta.concrete_fields
    return tuple(each.name for each in fields if each.remote_field and each.related_model is model_of(PERSON))
