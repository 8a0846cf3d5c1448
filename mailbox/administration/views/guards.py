"""Whom each page of administration exists for: 404 for everybody else."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import Http404
from django.http.response import HttpResponseBase

from mailbox import access
from mailbox.requests import PersonRequest

View = Callable[..., HttpResponseBase]


def _only_for(holds: Callable[[access.Viewer], Any]) -> Callable[[View], View]:
    def decorated(view: View) -> View:
        @login_required
        @wraps(view)
        def checked(request: PersonRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if not holds(request.user):
                raise Http404
            return view(request, *args, **kwargs)

        return checked

    return decorated


administrator_required = _only_for(access.administered_by)
auditor_required = _only_for(access.audited_by)
log_reader_required = _only_for(access.logs_readable_by)
manager_required = _only_for(lambda person: access.managed_by(person).exists())
any_duty_required = _only_for(lambda person: access.duties_of(person) - {access.LEADER})
# Whoever sees figures of departments: administrators and leaders.
figures_reader_required = _only_for(
    lambda person: access.administered_by(person) or access.LEADER in access.duties_of(person)
)
