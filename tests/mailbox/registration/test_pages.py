"""The form, the list of what is not registered, and what managers set."""

import uuid
from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from mailbox.conversations import state_changes
from mailbox.models import AccessLogEntry, Conversation, FunctionMailbox, Membership, Registration
from mailbox.registration import mailbox_settings
from mailbox.registration.entries import register, withdraw
from mailbox.statistics.figures import statistics
from mailbox.workplace import inbox
from mailbox.workplace.inbox import View
from tests.mailbox.build import a_member, arrives, log_in

from .build import CASE, MINOR, OTHER, Mode, with_mode

pytestmark = pytest.mark.django_db


@pytest.fixture
def karin(mailbox, client):
    person = a_member("Karin", mailbox)
    Membership.objects.update(role=Membership.Role.MANAGER)
    log_in(client, person)
    return person


def arrived(mailbox, conversation=""):
    return arrives(mailbox, conversation=conversation or str(uuid.uuid4()), message_id=str(uuid.uuid4()))


def page_of(client, name, *args, **query) -> str:
    return client.get(reverse(name, args=args), query).content.decode()


def test_the_form_says_what_is_wrong_with_a_number_and_what_is_wanted(mailbox, karin, client):
    with_mode(mailbox, Mode.TRACKED, "KS {år}/{nr}")
    message = arrived(mailbox)
    url = reverse("register", args=[message.conversation_id])
    response = client.post(url, {"kind": "case", "case_number": "KS 2026-117"})
    page = response.content.decode()
    assert response.status_code == 422
    assert "Efter ”KS 2026” ska det stå ”/”. Brevlådans nummer ser ut som KS 2" in page
    assert 'value="KS 2026-117"' in page
    assert not Registration.objects.exists()


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({}, "Välj ett av alternativen."),
        ({"kind": "case"}, "Skriv diarienumret."),
        ({"kind": "case", "case_number": "utan siffror"}, "Diarienumret har inga siffror."),
        ({"kind": "case", "case_number": "1" * 61}, "högst 60 tecken"),
        ({"kind": "case", "case_number": "1\x002"}, "Rätta detta"),
        ({"kind": "minor"}, "Skriv varför meddelandet är av ringa betydelse."),
        ({"kind": "minor", "reason": "Reklam"}, "Välj den gallringsregel"),
        ({"kind": "minor", "reason": "Reklam", "rule": "done"}, "Välj den gallringsregel"),
        ({"kind": "minor", "reason": "Reklam", "rule": "other"}, "Skriv vilket gallringsbeslut"),
    ],
)
def test_what_is_missing_or_wrong_is_told(mailbox, karin, client, given, text):
    message = arrived(mailbox)
    response = client.post(reverse("register", args=[message.conversation_id]), given)
    assert response.status_code == 422
    assert text.lower() in response.content.decode().lower()
    assert not Registration.objects.exists()


def test_the_second_is_told_who_was_first_and_where_to_correct_it(mailbox, karin, client):
    message = arrived(mailbox)
    made = register(message.conversation_id, a_member("Ahmed Lindqvist", mailbox), CASE)
    url = reverse("register", args=[message.conversation_id])
    posted = {"kind": "case", "case_number": "KS 2026/3118", "seen": message.pk}
    response = client.post(url, posted)
    page = response.content.decode()
    assert response.status_code == 422
    assert "Inget är sparat: Ahmed Lindqvist registrerade detta" in page
    assert "KS 2026/3117" in page
    assert reverse("registration-correct", args=[made.pk]) in page


def test_a_single_message_is_registered_from_its_place_in_the_thread(mailbox, karin, client):
    message = arrived(mailbox)
    arrived(mailbox, str(message.conversation.conversation_id))
    page = page_of(client, "conversation", message.conversation_id)
    assert f"message={message.pk}" in page
    url = reverse("register", args=[message.conversation_id])
    client.post(url, {"kind": "case", "case_number": "7", "message": message.pk, "seen": message.pk})
    assert Registration.objects.get().covered.get().message == message
    page = page_of(client, "conversation", message.conversation_id)
    assert "Registrerat med 7 av Karin" in " ".join(page.split())
    assert "Ej registrerat." in page


def test_a_message_of_another_conversation_has_no_form(mailbox, karin, client):
    message, other = arrived(mailbox), arrived(mailbox)
    url = reverse("register", args=[message.conversation_id])
    assert client.get(url, {"message": other.pk}).status_code == 404
    assert client.get(url, {"message": "\0"}).status_code == 200


def test_the_form_proposes_the_number_that_the_conversation_has(mailbox, karin, client):
    message = arrived(mailbox)
    register(message.conversation_id, karin, CASE)
    arrived(mailbox, str(message.conversation.conversation_id))
    assert 'value="KS 2026/3117"' in page_of(client, "register", message.conversation_id)


def test_row_and_head_show_the_number_and_that_something_is_missing(mailbox, karin, client):
    with_mode(mailbox, Mode.TRACKED)
    message = arrived(mailbox)
    for name, key in (("mailbox", mailbox.pk), ("conversation", message.conversation_id)):
        assert "Ej registrerat" in page_of(client, name, key)
    register(message.conversation_id, karin, CASE)
    for name, key in (("mailbox", mailbox.pk), ("conversation", message.conversation_id)):
        assert "KS 2026/3117" in page_of(client, name, key)


def test_minor_importance_is_shown_with_its_reason(mailbox, karin, client):
    message = arrived(mailbox)
    register(message.conversation_id, karin, MINOR)
    page = page_of(client, "conversation", message.conversation_id)
    for text in ("Ringa betydelse", "Reklam", "Beslut 2024-12"):
        assert text in page


def test_correcting_and_withdrawing_ask_why_and_keep_what_was(mailbox, karin, client):
    message = arrived(mailbox)
    made = register(message.conversation_id, karin, CASE)
    url = reverse("registration-correct", args=[made.pk])
    assert 'value="KS 2026/3117"' in client.get(url).content.decode()
    posted = {"kind": "case", "case_number": "KS 2026/3118"}
    assert "Skriv varför registreringen rättas." in client.post(url, posted).content.decode()
    client.post(url, posted | {"why": "Skrev fel"})
    current = Registration.objects.get(ended_at=None)
    url = reverse("registration-withdraw", args=[current.pk])
    assert client.post(url, {"why": ""}).status_code == 422
    client.post(url, {"why": "Hör inte hit"})
    page = page_of(client, "conversation", message.conversation_id)
    for text in ("KS 2026/3117", "KS 2026/3118", "Skrev fel", "Hör inte hit"):
        assert text in page
    assert not Registration.objects.filter(ended_at=None).exists()


def test_a_registration_that_somebody_else_ended_is_told(mailbox, karin, client):
    message = arrived(mailbox)
    made = register(message.conversation_id, karin, CASE)
    withdraw(made, a_member("Ahmed Lindqvist", mailbox), "Fel")
    posted = {"kind": "case", "case_number": "KS 2026/3118", "why": "Skrev fel"}
    response = client.post(reverse("registration-correct", args=[made.pk]), posted, follow=True)
    assert "Ahmed Lindqvist återtog registreringen" in response.content.decode()


def test_the_list_of_what_is_not_registered_has_the_oldest_first_and_a_count(mailbox, karin, client):
    with_mode(mailbox, Mode.TRACKED)
    messages = [arrived(mailbox) for _ in range(3)]
    for days, message in enumerate(messages):
        Conversation.objects.filter(pk=message.conversation_id).update(
            last_activity_at=timezone.now() - timedelta(days=10 - days)
        )
    register(messages[1].conversation_id, karin, CASE)
    state_changes.finish(messages[0].conversation_id, karin)
    page = inbox.page_of(mailbox, karin, view=View.UNREGISTERED)
    assert [row.pk for row in page.rows] == [messages[0].conversation_id, messages[2].conversation_id]
    assert inbox.counts(mailbox, karin)[View.UNREGISTERED] == 2
    shown = page_of(client, "mailbox", mailbox.pk, view="ej-registrerat")
    assert shown.index(f"row-{messages[0].conversation_id}") < shown.index(
        f"row-{messages[2].conversation_id}"
    )
    state_changes.move_to_trash(messages[2].conversation_id, karin)
    assert inbox.counts(mailbox, karin)[View.UNREGISTERED] == 1
    across = inbox.page_across(karin, view=View.UNREGISTERED)
    assert [row.pk for row in across.rows] == [messages[0].conversation_id]


def test_the_list_stands_in_the_sidebar_where_registration_is_used(mailbox, karin, client):
    assert "view=ej-registrerat" not in page_of(client, "mailbox", mailbox.pk)
    with_mode(mailbox, Mode.TRACKED)
    assert "view=ej-registrerat" in page_of(client, "mailbox", mailbox.pk)


def test_managers_set_what_is_demanded_and_the_pattern(mailbox, karin, client):
    message = arrived(mailbox)
    url = reverse("registration-mailbox", args=[mailbox.pk])
    client.post(url, {"mode": "required", "pattern": "KS {år}/{nr}"})
    mailbox.refresh_from_db()
    assert (mailbox.registration_mode, mailbox.case_number_pattern) == ("required", "KS {år}/{nr}")
    assert "KS 2" in client.get(url).content.decode()
    assert Conversation.objects.get(pk=message.conversation_id).registration_state == "pending"
    assert AccessLogEntry.objects.get(what="registration-set").details["mode"] == "required"
    client.post(url, {"mode": "optional", "pattern": ""})
    assert Conversation.objects.get(pk=message.conversation_id).registration_state == ""


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"mode": "required", "pattern": "KS {ar}/{nr}"}, "{ar} är inget som mönstret kan innehålla"),
        ({"mode": "required", "pattern": "KS {nr"}, "{nr är inget som mönstret kan innehålla"),
        ({"mode": "required", "pattern": "KS {år}"}, "Mönstret har inget {nr}"),
        ({"mode": "required", "pattern": "[KS {nr}"}, "hakparentes"),
        ({"mode": "x"}, "Välj ett av alternativen."),
    ],
)
def test_a_pattern_that_cannot_be_used_is_told(mailbox, karin, client, given, text):
    response = client.post(reverse("registration-mailbox", args=[mailbox.pk]), given)
    assert response.status_code == 422
    assert text in response.content.decode()
    mailbox.refresh_from_db()
    assert mailbox.registration_mode == ""


def test_when_it_is_no_longer_counted_only_what_was_registered_in_part_waits(mailbox, karin):
    mailbox_settings.set_registration(karin, mailbox, Mode.TRACKED, "")
    mailbox.refresh_from_db()
    untouched, in_part = arrived(mailbox), arrived(mailbox)
    register(in_part.conversation_id, karin, CASE)
    arrived(mailbox, str(in_part.conversation.conversation_id))
    mailbox_settings.set_registration(karin, mailbox, Mode.OPTIONAL, "")
    states = dict(Conversation.objects.values_list("pk", "registration_state"))
    assert states == {untouched.conversation_id: "", in_part.conversation_id: "pending"}


def test_what_was_done_before_it_was_counted_does_not_wait(mailbox, karin):
    done, waiting = arrived(mailbox), arrived(mailbox)
    state_changes.finish(done.conversation_id, karin)
    mailbox_settings.set_registration(karin, mailbox, Mode.TRACKED, "")
    states = dict(Conversation.objects.values_list("pk", "registration_state"))
    assert states == {done.conversation_id: "", waiting.conversation_id: "pending"}


def test_a_member_who_manages_nothing_sets_nothing(mailbox, karin, client):
    Membership.objects.update(role=Membership.Role.MEMBER)
    assert client.get(reverse("registration-mailbox", args=[mailbox.pk])).status_code == 404


def test_statistics_count_registered_minor_and_not_registered(mailbox, karin):
    messages = [arrived(mailbox) for _ in range(4)]
    register(messages[0].conversation_id, karin, CASE)
    corrected = register(messages[1].conversation_id, karin, OTHER)
    withdraw(corrected, karin, "Fel")
    register(messages[2].conversation_id, karin, MINOR)
    now = timezone.now()
    boxes = FunctionMailbox.objects.filter(pk=mailbox.pk)
    (figures,) = statistics(boxes, now - timedelta(days=1), now + timedelta(days=1)).figures
    assert (figures.registered, figures.minor, figures.not_registered) == (1, 1, 2)


def test_the_export_has_the_same_figures(mailbox, karin, client):
    register(arrived(mailbox).conversation_id, karin, CASE)
    response = client.get(reverse("administration-statistics-file"))
    header, row = b"".join(response.streaming_content).decode("utf-8-sig").splitlines()[:2]
    separator = ";" if ";" in header else ","
    figures = dict(zip(header.split(separator), row.split(separator), strict=True))
    assert (figures["registered"], figures["minor_importance"], figures["not_registered"]) == ("1", "0", "0")
