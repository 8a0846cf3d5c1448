"""How much work is due, of which kind, and since when."""

from dataclasses import dataclass

from django.apps import apps
from django.db.models import Count, Min
from django.utils import timezone

from transport.jobs import LeasedJob


@dataclass(frozen=True, slots=True)
class DueJobs:
    """The jobs of a kind that are due and that no worker holds, and for how long the oldest has been due."""

    kind: str
    count: int
    oldest_seconds: float


def due_jobs() -> list[DueJobs]:
    """Every kind of job of this node, by name."""
    kinds = sorted(
        (model for model in apps.get_models() if issubclass(model, LeasedJob)),
        key=lambda model: model.__name__,
    )
    return [_due_of(model) for model in kinds]


def _due_of(model: type[LeasedJob]) -> DueJobs:
    found = model.due().order_by().aggregate(count=Count("pk"), since=Min("due_at"))
    since = found["since"]
    seconds = max(0.0, (timezone.now() - since).total_seconds()) if since else 0.0
    return DueJobs(model.__name__, found["count"], seconds)
