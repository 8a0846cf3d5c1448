"""Names are one line that can be shown; and a notice that cannot be sent stops no other."""

import pytest
from django.core import mail
from django.core.management import CommandError, call_command
from django.urls import reverse
from django.utils import timezone

from mailbox.administration import alarms
from mailbox.models import (
    CannedText,
    DistributionList,
    FunctionMailbox,
    Label,
    NoticeChoice,
    Person,
    UnattendedAlarm,
)
from mailbox.notifications import notices
from transport.message_api.models import ApiClient
from transport.message_service.models import Organisation
from transport.names import as_one_line, is_name, is_text

from .build import HERE, a_member, a_message_in, log_in, with_role

pytestmark = pytest.mark.django_db
ODD = ["a\nb", "a\r\nBcc: x@y.se", "a\x1bb", "a\u2028b", "a\u202eb", "a\x85b"]


@pytest.fixture
def mailbox(db) -> FunctionMailbox:
    Organisation.objects.create(participant_id=HERE, name="Håbo kommun")
    return FunctionMailbox.objects.create(participant_id=HERE, address="funktion-b", name="Brevlåda")


@pytest.mark.parametrize("odd", ODD)
def test_administrators_give_no_name_that_is_not_one_line(mailbox, client, odd):
    log_in(client, with_role("administrator"))
    people = Person.objects.count()
    for url, form in (
        (reverse("administration"), {"organisation": HERE, "address": "sdk:ny", "name": odd}),
        (
            reverse("administration-mailbox", args=[mailbox.pk]),
            {"subject": "199001012385", "name": odd},
        ),
        (
            reverse("administration-functions"),
            {"organisation": HERE, "identifier": "sdk:ny", "name": odd},
        ),
        (
            reverse("administration-make-rule", args=[mailbox.pk]),
            {"claim": "group", "value": odd},
        ),
    ):
        assert client.post(url, form).status_code == 422, url
    assert FunctionMailbox.objects.count() == 1
    assert Person.objects.count() == people


@pytest.mark.parametrize("odd", ["a\x1bb", "a\u202eb"])
def test_a_client_and_a_label_have_names_that_can_be_shown(mailbox, client, odd):
    log_in(client, with_role("administrator"))
    form = {"organisation": HERE, "client_id": "journal", "name": odd}
    assert client.post(reverse("administration-clients"), form).status_code == 422
    assert not ApiClient.objects.exists()
    log_in(client, a_member(mailbox))
    assert client.post(reverse("labels", args=[mailbox.pk]), {"name": odd}).status_code == 422
    assert not Label.objects.exists()


@pytest.mark.parametrize("odd", ODD)
def test_canned_texts_and_lists_have_names_of_one_line(mailbox, client, odd):
    log_in(client, a_member(mailbox))
    url = reverse("writing", args=[mailbox.pk])
    assert client.post(url, {"action": "add-text", "name": odd, "text": "Hej"}).status_code == 422
    assert client.post(url, {"action": "add-list", "list_name": odd}).status_code == 422
    assert not CannedText.objects.exists()
    assert not DistributionList.objects.exists()


def test_the_command_takes_no_name_of_two_lines(db):
    with pytest.raises(CommandError):
        call_command("add_organisation", HERE, "a\nb")
    assert not Organisation.objects.exists()


def test_a_mailbox_that_was_named_in_two_lines_stops_nobody_s_notices(mailbox):
    other = FunctionMailbox.objects.create(participant_id=HERE, address="sdk:andra", name="Andra")
    for box, address in ((mailbox, "a@habo.se"), (other, "b@habo.se")):
        person = a_member(box)
        Person.objects.filter(pk=person.pk).update(mail_address=address)
        NoticeChoice.objects.create(
            person=person, mailbox=box, by_mail=True, told_until=timezone.now() - timezone.timedelta(days=1)
        )
    talk = a_message_in(mailbox).conversation
    talk.pk, talk.mailbox = None, other
    talk.save()
    FunctionMailbox.objects.filter(pk=mailbox.pk).update(name="Två\nrader")
    assert notices.send_notices() == 2
    assert {(sent.to[0], sent.subject) for sent in mail.outbox} == {
        ("a@habo.se", "Nytt meddelande i Två rader"),
        ("b@habo.se", "Nytt meddelande i Andra"),
    }


def test_one_notice_that_fails_stops_no_other(mailbox, monkeypatch, caplog):
    other = FunctionMailbox.objects.create(participant_id=HERE, address="sdk:andra", name="Andra")
    for box, address in ((mailbox, "a@habo.se"), (other, "b@habo.se")):
        person = a_member(box, role="manager")
        Person.objects.filter(pk=person.pk).update(mail_address=address)
        UnattendedAlarm.objects.create(mailbox=box, reason="untaken", since=timezone.now())
    send = alarms._mail

    def failing(alarm, addresses):
        if alarm.mailbox == mailbox:
            raise RuntimeError("secret words")
        send(alarm, addresses)

    monkeypatch.setattr(alarms, "_mail", failing)
    alarms._send_due(timezone.now())
    assert [sent.to for sent in mail.outbox] == [["b@habo.se"]]
    told = {alarm.mailbox_id: alarm.told_at is not None for alarm in UnattendedAlarm.objects.all()}
    assert told == {mailbox.pk: False, other.pk: True}
    assert "secret words" not in caplog.text


def test_what_a_name_is():
    assert is_name("Åsa 🙂 - 'x' \u200d")
    assert not [odd for odd in (*ODD, "\0", "\ud800") if is_name(odd)]
    assert is_text("a\r\n\tb")
    assert not is_text("a\0")
    assert as_one_line(" a\r\nb\u2028 c ") == "a b c"
