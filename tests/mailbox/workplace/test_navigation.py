"""Where one is, where one can go from there, and what a page says that has nothing to show."""

from datetime import UTC, datetime

import pytest
from django.urls import reverse
from django.utils import timezone

from mailbox.drafts import recipients
from mailbox.models import Conversation, Draft, Membership, OrganisationRole
from mailbox.texts.markdown import without_marks
from mailbox.workplace import list_query
from mailbox.workplace.inbox import View
from tests.mailbox.build import a_member, arrives, log_in
from tests.mailbox.drafts.test_sending import ready
from tests.mailbox.drafts.test_several_recipients import functions, to_all
from tests.pages import in_one_line

__all__ = ["functions"]
pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("view", list(View))
def test_a_view_that_is_empty_says_what_comes_there(mailbox, client, view):
    log_in(client, a_member("Karin", mailbox))
    shown = client.get(reverse("mailbox", args=[mailbox.pk]), {"view": view}).content.decode()
    assert f'<p class="empty">{list_query.NOTHING[view]}</p>' in shown
    assert len({str(text) for text in list_query.NOTHING.values()}) == len(View)


def test_where_nothing_passes_the_filters_one_click_shows_the_whole_view(mailbox, client):
    arrives(mailbox)
    log_in(client, a_member("Karin", mailbox))
    address = reverse("mailbox", args=[mailbox.pk])
    shown = in_one_line(
        client.get(address, {"view": "inkorg", "organisation": "Ingen sådan"}).content.decode()
    )
    assert f'<a href="{address}?view=inkorg">Visa alla i vyn</a>' in shown


def test_dates_are_written_as_swedish_is_written(mailbox, client):
    message = arrives(mailbox)
    when = datetime(2026, 11, 5, 12, 0, tzinfo=UTC)
    Conversation.objects.filter(pk=message.conversation_id).update(last_activity_at=when)
    log_in(client, a_member("Karin", mailbox))
    shown = client.get(reverse("mailbox", args=[mailbox.pk])).content.decode()
    assert ">5 nov<" in shown


def _menu(page: str) -> str:
    return in_one_line(page[page.index('aria-label="Huvudmeny"') : page.index('class="person"')])


def test_the_menu_leads_those_to_administration_who_have_something_to_do_there(mailbox, client):
    log_in(client, a_member("Karin", mailbox))
    assert "administration" not in _menu(client.get(reverse("search")).content.decode())
    manager = a_member("Ahmed", mailbox)
    Membership.objects.filter(person=manager).update(role=Membership.Role.MANAGER)
    log_in(client, manager)
    menu = _menu(client.get(reverse("search")).content.decode())
    assert f'<a href="{reverse("administration")}">Administration</a>' in menu
    assert f'<a href="{reverse("search")}" data-key="s" aria-current="page">' in menu
    auditor = a_member("Nils")
    OrganisationRole.objects.create(
        person=auditor, participant_id=mailbox.participant_id, role=OrganisationRole.Role.AUDITOR
    )
    log_in(client, auditor)
    menu = _menu(client.get(reverse("search")).content.decode())
    assert f'<a href="{reverse("administration-access-log")}">Åtkomstlogg</a>' in menu
    Membership.objects.filter(person=manager).update(ends_at=timezone.now())
    log_in(client, manager)
    assert "administration" not in _menu(client.get(reverse("search")).content.decode())


def test_a_page_under_a_section_of_administration_says_which_and_leads_back(mailbox, client):
    person = a_member("Ahmed", mailbox)
    Membership.objects.filter(person=person).update(role=Membership.Role.MANAGER)
    log_in(client, person)
    shown = client.get(reverse("administration-mailbox", args=[mailbox.pk])).content.decode()
    assert f'<a href="{reverse("administration")}" aria-current="true">Brevlådor</a>' in in_one_line(shown)
    assert f'<p class="crumbs"><a href="{reverse("administration")}">' in shown


def test_what_is_looked_through_says_for_each_recipient_which_function_of_which_organisation(
    mailbox, functions, client
):
    person = a_member("Karin", mailbox)
    draft = to_all(mailbox, functions, person)
    log_in(client, person)
    shown = client.get(reverse("check", args=[draft.pk])).content.decode()
    told = [recipients.recipient_in(function) for function in functions]
    for number, one in enumerate(told, start=1):
        line = shown[shown.index(f"<dt>Mottagare {number} av 3</dt>") :]
        line = line[: line.index("</dd>")]
        assert f"<strong>{one.function}</strong>" in line
        assert f"<strong>{one.organisation}</strong> ({one.participant})" in in_one_line(line)
    alone = client.get(reverse("check", args=[ready(mailbox, functions[0], person).pk])).content.decode()
    assert "<dt>Till organisation</dt>" in alone
    assert "Mottagare 1" not in alone


def test_what_is_looked_through_says_also_that_it_is_not_marked(mailbox, function, client):
    person = a_member("Karin", mailbox)
    draft = ready(mailbox, function, person)
    log_in(client, person)
    for is_confidential in (False, True):
        Draft.objects.filter(pk=draft.pk).update(is_confidential=is_confidential)
        shown = client.get(reverse("check", args=[draft.pk])).content.decode()
        assert ("<dd>Meddelandet märks inte.</dd>" in shown) is not is_confidential


def test_a_line_of_hits_has_the_words_without_the_signs_around_them():
    text = "# Sammanfattning\nVi hör av oss om *nästa steg*, **snart**. 2 * 3 * 4\n* punkt"
    expected = "Sammanfattning\nVi hör av oss om nästa steg, snart. 2 * 3 * 4\n* punkt"
    assert without_marks(text) == expected
