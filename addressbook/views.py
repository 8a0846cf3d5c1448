"""Browsing and searching the address book."""

from django.contrib.auth.decorators import login_required
from django.db.models import Prefetch
from django.db.models.functions import Lower
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST, require_safe

from . import personal
from .categories import functions_in
from .forms import FavouriteForm, ListForm, Position, SearchForm
from .models import Category, FunctionAddress, Organisation, SyncRun
from .search import MINIMUM_LENGTH, search

_PAGE = 50
_ORGANISATIONS = 25
_SHOWN_OF_EACH = 5


@login_required
@require_safe
def find(request: HttpRequest) -> HttpResponse:
    """Functions for `?q=`: a fragment for htmx, a page without it."""
    form = SearchForm.of_address(request.GET)
    question = form.question()
    context = {
        "question": question,
        "hits": search(question),
        "is_too_short": 0 < len(question) < MINIMUM_LENGTH,
        "choose": form.is_choosing(),
        "favourites": personal.favourite_ids(_person_id(request)),
    }
    is_fragment = getattr(request, "htmx", False)
    return render(request, "addressbook/hits.html" if is_fragment else "addressbook/find.html", context)


@login_required
@require_safe
def browse(request: HttpRequest) -> HttpResponse:
    """Organisations by name, a page at a time, with their functions."""
    rows = Organisation.objects.filter(gone_at=None).annotate(sorted_name=Lower("name"))
    after = ListForm.of_address(request.GET).position()
    if after is not None:
        rows = rows.filter(after.following("sorted_name"))
    functions = FunctionAddress.objects.filter(gone_at=None).order_by("name", "pk")
    # One more than is shown tells that there are more.
    first_functions = Prefetch("functions", functions[: _SHOWN_OF_EACH + 1], to_attr="first_functions")
    found = list(rows.order_by("sorted_name", "pk").prefetch_related(first_functions)[: _ORGANISATIONS + 1])
    last = found[_ORGANISATIONS - 1] if len(found) > _ORGANISATIONS else None
    context = {
        "organisations": found[:_ORGANISATIONS],
        "shown_of_each": _SHOWN_OF_EACH,
        "after": Position(last.sorted_name, last.pk) if last else "",
        "is_first": after is None,
        "categories": Category.objects.all() if after is None else [],
        "marked": personal.favourites(_person_id(request)) if after is None else [],
        "latest": personal.latest_used(_person_id(request)) if after is None else [],
        "favourites": personal.favourite_ids(_person_id(request)),
        "run": SyncRun.objects.filter(error="", finished_at__isnull=False).first(),
    }
    return render(request, "addressbook/browse.html", context)


@login_required
@require_safe
def organisation(request: HttpRequest, organisation_id: int) -> HttpResponse:
    """An organisation's functions, by name, a page at a time."""
    shown = get_object_or_404(Organisation, pk=organisation_id, gone_at=None)
    rows = FunctionAddress.objects.filter(gone_at=None, organisation=shown)
    after = ListForm.of_address(request.GET).position()
    if after is not None:
        rows = rows.filter(after.following("name"))
    found = list(rows.order_by("name", "pk")[: _PAGE + 1])
    last = found[_PAGE - 1] if len(found) > _PAGE else None
    context = {
        "organisation": shown,
        "functions": found[:_PAGE],
        "after": Position(last.name, last.pk) if last else "",
        "favourites": personal.favourite_ids(_person_id(request)),
    }
    return render(request, "addressbook/organisation.html", context)


@login_required
@require_safe
def category(request: HttpRequest, category_id: int) -> HttpResponse:
    """Functions with a category, by name, a page at a time."""
    shown = get_object_or_404(Category, pk=category_id)
    found = list(functions_in(shown, ListForm.of_address(request.GET).position(), _PAGE + 1))
    last = found[_PAGE - 1] if len(found) > _PAGE else None
    context = {
        "category": shown,
        "functions": found[:_PAGE],
        "after": Position(last.name, last.pk) if last else "",
        "favourites": personal.favourite_ids(_person_id(request)),
    }
    return render(request, "addressbook/category.html", context)


@login_required
@require_POST
def favourite(request: HttpRequest, function_id: int) -> HttpResponse:
    """Mark a function as the person's own favourite, or take the mark away."""
    function = get_object_or_404(FunctionAddress, pk=function_id)
    is_favourite = FavouriteForm(request.POST).is_favourite()
    personal.set_favourite(_person_id(request), function, is_favourite=is_favourite)
    if getattr(request, "htmx", False):
        context = {"function": function, "favourites": {function.pk} if is_favourite else set()}
        return render(request, "addressbook/_favourite.html", context)
    return redirect("addressbook:browse")


def _person_id(request: HttpRequest) -> int:
    return int(request.user.pk or 0)
