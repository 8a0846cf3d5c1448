"""Favourites, those written to last, and categories: each person's own, and never one that is gone."""

import uuid

import pytest
from django.urls import reverse
from django.utils import timezone

from addressbook import personal
from addressbook.categories import refresh_categories
from addressbook.models import Category, FunctionAddress, Organisation
from mailbox.drafts import composer
from mailbox.models import FunctionMailbox, Membership, Person

pytestmark = pytest.mark.django_db


@pytest.fixture
def functions() -> list[FunctionAddress]:
    organisation = Organisation.objects.create(book_id="1", participant_id="0203:a.se", name="A-kommun")
    return [
        FunctionAddress.objects.create(
            book_id=str(number),
            organisation=organisation,
            identifier=f"sdk:{number}",
            name=f"Funktion {number}",
            categories=["Vård"] if number % 2 else ["Vård", "Skola"],
        )
        for number in range(4)
    ]


def a_person() -> Person:
    return Person.add(uuid.uuid4().hex, "Karin")[0]


def log_in(client, person: Person) -> None:
    client.force_login(person, backend="mailbox.accounts.login.EidBackend")


def test_favourites_are_each_person_s_own(functions, client):
    karin, ahmed = a_person(), a_person()
    log_in(client, karin)
    url = reverse("addressbook:favourite", args=[functions[1].pk])
    client.post(url, {"favourite": "1"})
    client.post(url, {"favourite": "1"})
    assert list(personal.favourites(karin.pk)) == [functions[1]]
    assert list(personal.favourites(ahmed.pk)) == []
    assert "Favoriter" in client.get(reverse("addressbook:browse")).content.decode()
    client.post(url, {"favourite": "0"})
    assert list(personal.favourites(karin.pk)) == []


def test_a_star_changes_in_place(functions, client):
    log_in(client, a_person())
    url = reverse("addressbook:favourite", args=[functions[1].pk])
    html = client.post(url, {"favourite": "1"}, headers={"HX-Request": "true"}).content.decode()
    assert html.startswith("<form")
    assert 'aria-pressed="true"' in html


def test_those_written_to_last_come_first(functions):
    person = a_person()
    for function in (functions[0], functions[2], functions[0]):
        personal.record_use(person.pk, "0203:a.se", function.identifier)
    personal.record_use(person.pk, "0203:a.se", "sdk:unknown")
    assert personal.latest_used(person.pk) == [functions[0], functions[2]]
    personal.set_favourite(person.pk, functions[2], is_favourite=True)
    assert personal.suggestions(person.pk) == [functions[2], functions[0]]


def test_a_function_that_is_gone_is_offered_nowhere(functions):
    person = a_person()
    personal.record_use(person.pk, "0203:a.se", functions[0].identifier)
    personal.set_favourite(person.pk, functions[0], is_favourite=True)
    FunctionAddress.objects.filter(pk=functions[0].pk).update(gone_at=timezone.now())
    assert personal.suggestions(person.pk) == []


def test_categories_are_counted_when_the_book_is_copied_and_browsed(functions, client):
    Category.objects.create(name="Borta", function_count=3)
    FunctionAddress.objects.filter(pk=functions[0].pk).update(gone_at=timezone.now())
    refresh_categories()
    assert dict(Category.objects.values_list("name", "function_count")) == {"Vård": 3, "Skola": 1}
    log_in(client, a_person())
    html = client.get(reverse("addressbook:browse")).content.decode()
    assert "Vård" in html
    page = client.get(reverse("addressbook:category", args=[Category.objects.get(name="Skola").pk]))
    assert page.context["functions"] == [functions[2]]


def test_pages_of_a_category_miss_nothing(functions, client):
    for number in range(60):
        FunctionAddress.objects.create(
            book_id=f"x{number}",
            organisation=functions[0].organisation,
            identifier=f"x{number}",
            name="Samma | namn",
            categories=["Vård"],
        )
    refresh_categories()
    log_in(client, a_person())
    url, seen, after = reverse("addressbook:category", args=[Category.objects.get(name="Vård").pk]), [], ""
    # Each page by one of its names: addresses of earlier versions say `efter`.
    for name in ("after", "efter") * 3:
        context = client.get(url, {name: after}).context
        seen += [function.pk for function in context["functions"]]
        after = context["after"]
        if not after:
            break
    assert len(seen) == len(set(seen)) == 64


def test_a_copy_of_the_book_counts_its_categories(functions):
    from addressbook.book import Book, FunctionEntry, OrganisationEntry
    from addressbook.synchronisation import _apply

    book = Book(
        {"1": OrganisationEntry("1", "0203:a.se", "A", "", "", "O", {})},
        {"9": FunctionEntry("9", "1", "sdk:9", "Nio", "", ["Äldreomsorg"], [], {})},
    )
    _apply(book, force=True)
    assert [row.name for row in Category.objects.all()] == ["Äldreomsorg"]


def test_they_are_offered_before_anything_has_been_typed(functions, client):
    person = a_person()
    mailbox = FunctionMailbox.objects.create(participant_id="0203:habo.se", address="a", name="A")
    Membership.objects.create(person=person, mailbox=mailbox)
    personal.record_use(person.pk, "0203:a.se", functions[3].identifier)
    log_in(client, person)
    draft = composer.begin(mailbox, person)
    html = client.get(reverse("draft", args=[draft.pk])).content.decode()
    assert f'name="recipient" value="{functions[3].pk}"' in html
    assert f'name="recipient" value="{functions[2].pk}"' not in html
