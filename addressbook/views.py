"""Browsing and searching the address book."""

from django.contrib.auth.decorators import login_required
from django.db.models import Prefetch, Q
from django.db.models.functions import Lower
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from .models import FunctionAddress, Organisation, SyncRun
from .search import MINIMUM_LENGTH, search

_PAGE = 50


@login_required
@require_safe
def find(request: HttpRequest) -> HttpResponse:
    """Functions for `?q=`: a fragment for htmx, a page without it."""
    question = request.GET.get("q", "").strip()
    context = {
        "question": question,
        "hits": search(question),
        "is_too_short": 0 < len(question) < MINIMUM_LENGTH,
        "choose": request.GET.get("valj") == "1",
    }
    is_fragment = getattr(request, "htmx", False)
    return render(request, "addressbook/hits.html" if is_fragment else "addressbook/find.html", context)


@login_required
@require_safe
def browse(request: HttpRequest) -> HttpResponse:
    """Organisations by name, a page at a time, with their functions."""
    rows = Organisation.objects.filter(gone_at=None).annotate(sorted_name=Lower("name"))
    after_name, _, after_id = request.GET.get("efter", "").rpartition("|")
    if after_id.isdigit():
        rows = rows.filter(Q(sorted_name__gt=after_name) | Q(sorted_name=after_name, pk__gt=int(after_id)))
    functions = FunctionAddress.objects.filter(gone_at=None).order_by("name")
    found = list(
        rows.order_by("sorted_name", "pk").prefetch_related(Prefetch("functions", functions))[: _PAGE + 1]
    )
    last = found[_PAGE - 1] if len(found) > _PAGE else None
    context = {
        "organisations": found[:_PAGE],
        "after": f"{last.sorted_name}|{last.pk}" if last else "",
        "is_first": not after_id,
        "run": SyncRun.objects.filter(error="", finished_at__isnull=False).first(),
    }
    return render(request, "addressbook/browse.html", context)
