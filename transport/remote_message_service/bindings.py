"""Which other message service a function uses, if not ours."""

from collections.abc import Collection
from uuid import UUID

from django.db.models import QuerySet

from transport.message_service.models import Organisation, OrganisationKey
from transport.remote_service_port import OwnFunction

from .models import RemoteFunction, RemoteService


def services_of(functions: Collection[OwnFunction]) -> dict[OwnFunction, UUID]:
    """The services of functions that use another than ours, by the functions; in one query where no
    organisation uses any, in two otherwise.

    A service that is turned off keeps its functions: their messages wait, rather than go another way.
    """
    if not functions:
        return {}
    organisations = {function.organisation for function in functions}
    in_use = list(
        RemoteService.objects.filter(organisation__in=organisations, in_use_since__isnull=False).values_list(
            "organisation", "pk", "has_all_functions"
        )
    )
    if not in_use:
        return {}
    with_all = {organisation: service for organisation, service, has_all in in_use if has_all}
    bound = {
        OwnFunction(organisation, address): service
        for organisation, address, service in RemoteFunction.objects.filter(
            organisation__in=organisations,
            function_address__in={function.address for function in functions},
            service__in_use_since__isnull=False,
        ).values_list("organisation", "function_address", "service")
    }
    found = {function: bound.get(function, with_all.get(function.organisation)) for function in functions}
    return {function: service for function, service in found.items() if service is not None}


def organisations_served_elsewhere() -> set[str]:
    """The participants that use another message service and have no key here.

    What SMP and CertPub publish of them is the other service's, and leads there.
    """
    in_use = Organisation.objects.filter(remote_services__in_use_since__isnull=False)
    with_keys = OrganisationKey.objects.values("organisation")
    return set(in_use.exclude(pk__in=with_keys).values_list("participant_id", flat=True))


def organisations_served_here() -> QuerySet[Organisation]:
    """The others, by participant."""
    elsewhere = organisations_served_elsewhere()
    return Organisation.objects.exclude(participant_id__in=elsewhere).order_by("participant_id")
