"""Looking up functions and names in the copy of the address book."""

from collections.abc import Collection

from .models import FunctionAddress, Organisation


def function_address(participant: str, identifier: str) -> FunctionAddress | None:
    """A function that is in the address book now; None for any other."""
    return (
        FunctionAddress.objects.select_related("organisation")
        .filter(
            organisation__participant_id=participant,
            organisation__gone_at=None,
            identifier=identifier,
            gone_at=None,
        )
        .first()
    )


def names_of(participant: str, identifier: str) -> tuple[str, str]:
    """The names of an organisation and a function, also of removed ones; their identifiers where unknown."""
    function = (
        FunctionAddress.objects.select_related("organisation")
        .filter(organisation__participant_id=participant, identifier=identifier)
        .order_by("gone_at")
        .first()
    )
    if function is not None:
        return function.organisation.name, function.name
    organisation = Organisation.objects.filter(participant_id=participant).first()
    return (organisation.name if organisation else participant), identifier


def organisation_names(participants: Collection[str]) -> dict[str, str]:
    """The names of organisations that the address book has or had, by participant."""
    rows = Organisation.objects.filter(participant_id__in=participants)
    return dict(rows.values_list("participant_id", "name"))
