"""Each person's own entries of the address book: favourites, and the functions they wrote to last."""

from typing import Final

from django.db.models import QuerySet
from django.utils import timezone

from .lookup import function_address
from .models import FunctionAddress, PersonalFunction

LATEST: Final = 10


def set_favourite(person_id: int, function: FunctionAddress, *, is_favourite: bool) -> None:
    """Mark a function, or take the mark away."""
    PersonalFunction.objects.update_or_create(
        person_id=person_id, function=function, defaults={"is_favourite": is_favourite}
    )


def record_use(person_id: int, participant: str, identifier: str) -> None:
    """Remember that a person wrote to a function; one that is not in the book is not remembered."""
    function = function_address(participant, identifier)
    if function is not None:
        PersonalFunction.objects.update_or_create(
            person_id=person_id, function=function, defaults={"used_at": timezone.now()}
        )


def favourites(person_id: int) -> QuerySet[FunctionAddress]:
    """The person's favourites that can be written to, by name."""
    marked = PersonalFunction.objects.filter(person_id=person_id, is_favourite=True)
    rows = FunctionAddress.objects.filter(pk__in=marked.values("function"), gone_at=None)
    return rows.select_related("organisation").order_by("name", "pk")


def latest_used(person_id: int) -> list[FunctionAddress]:
    """Those that the person wrote to last and that can be written to, the latest first."""
    used = PersonalFunction.objects.filter(
        person_id=person_id, used_at__isnull=False, function__gone_at=None
    ).select_related("function__organisation")
    return [row.function for row in used.order_by("-used_at", "-pk")[:LATEST]]


def suggestions(person_id: int) -> list[FunctionAddress]:
    """Functions to offer before anything is typed: favourites, then those that were written to last."""
    marked = list(favourites(person_id))
    known = {function.pk for function in marked}
    return marked + [function for function in latest_used(person_id) if function.pk not in known]


def favourite_ids(person_id: int) -> frozenset[int]:
    """Keys of the functions that the person has marked."""
    marked = PersonalFunction.objects.filter(person_id=person_id, is_favourite=True)
    return frozenset(marked.values_list("function_id", flat=True))
