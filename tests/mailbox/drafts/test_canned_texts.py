"""Canned texts with placeholders, signatures, and more than one reference and person."""

import pytest
from django.db import connection
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format

from mailbox.drafts import composer, forwarding, recipients, send_order
from mailbox.drafts.forms import DraftForm
from mailbox.models import CannedText, Draft, FunctionMailbox, Membership, Message, WritingChoices
from tests.mailbox.build import a_member, arrives, log_in, send_now

from .test_sending import ready

pytestmark = pytest.mark.django_db


def test_a_canned_text_is_filled_in_and_put_before_the_signature(mailbox, function, client):
    WritingChoices.objects.create(mailbox=mailbox, signature="{namn}\n{funktion}, {organisation}")
    text = "Till {mottagare} om {ärende}, {ämne}, {datum}."
    canned = CannedText.objects.create(mailbox=mailbox, name="Kallelse", text=text)
    person = a_member("Karin Svensson", mailbox)
    log_in(client, person)
    draft = composer.begin(mailbox, person)
    page = client.get(reverse("draft", args=[draft.pk]))
    assert "Karin Svensson\nMottagning, Håbo kommun</textarea>" in page.content.decode()
    draft = recipients.choose_recipient(draft.pk, draft.version, function, person)
    form = {
        "action": "canned",
        "canned": canned.pk,
        "version": draft.version,
        "subject": "Möte",
        "text": page.context["text"],
        "reference_kind": "dnr",
        "reference": "SN 2026/0117",
    }
    client.post(reverse("draft", args=[draft.pk]), form)
    draft.refresh_from_db()
    today = date_format(timezone.localdate(), "j F Y")
    assert draft.text == (
        f"Till Arbetsträning, AF om SN 2026/0117, Möte, {today}.\n\nKarin Svensson\nMottagning, Håbo kommun"
    )


def test_what_cannot_be_filled_in_stays_and_is_pointed_out_in_the_check(mailbox, function, client):
    canned = CannedText.objects.create(mailbox=mailbox, name="Kallelse", text="Om {ärende}")
    person = a_member("Karin", mailbox)
    draft = ready(mailbox, function, person)
    log_in(client, person)
    form = {"action": "canned", "canned": canned.pk, "version": draft.version, "subject": "Ä", "text": "Hej"}
    client.post(reverse("draft", args=[draft.pk]), form)
    draft.refresh_from_db()
    assert draft.text == "Hej\n\nOm {ärende}"
    assert "I texten står {ärende} kvar" in client.get(reverse("check", args=[draft.pk])).content.decode()


def test_texts_are_made_changed_and_taken_away_by_members(mailbox, client):
    log_in(client, a_member("Karin", mailbox))
    writing = reverse("writing", args=[mailbox.pk])
    wrong = client.post(writing, {"action": "add-text", "name": "Kallelse", "text": "Hej {namm}"})
    assert wrong.status_code == 422
    page = wrong.content.decode()
    assert "<title>Fel:" in page
    assert "{namm} kan inte fyllas i." in page
    assert "Hej {namm}" in page
    client.post(writing, {"action": "add-text", "name": "Kallelse", "text": "Hej {namn}"})
    row = CannedText.objects.get()
    again = client.post(writing, {"action": "add-text", "name": "Kallelse", "text": "Annan"})
    assert again.status_code == 422
    url = reverse("canned-text", args=[row.pk])
    assert client.post(url, {"action": "save", "name": "", "text": ""}).status_code == 422
    client.post(url, {"action": "save", "name": "Kallelse", "text": "God dag"})
    assert CannedText.objects.get().text == "God dag"
    client.post(url, {"action": "remove"})
    assert not CannedText.objects.exists()


def test_signature_and_texts_are_sealed_at_rest(mailbox, client):
    log_in(client, a_member("Karin", mailbox))
    writing = reverse("writing", args=[mailbox.pk])
    client.post(writing, {"action": "signature", "signature": "Hälsningar från oss"})
    client.post(writing, {"action": "add-text", "name": "A", "text": "En hemlig text"})
    assert WritingChoices.objects.get().signature == "Hälsningar från oss"
    with connection.cursor() as cursor:
        cursor.execute("SELECT row_to_json(c)::text FROM mailbox_writingchoices c")
        assert "oss" not in cursor.fetchone()[0]
        cursor.execute("SELECT row_to_json(c)::text FROM mailbox_cannedtext c")
        assert "hemlig" not in cursor.fetchone()[0]


def test_a_signature_is_in_new_drafts_answers_and_what_is_forwarded_and_nowhere_against_one_s_will(
    mailbox, client
):
    WritingChoices.objects.create(mailbox=mailbox, signature="Hälsningar")
    person = a_member("Karin", mailbox)
    log_in(client, person)
    message = arrives(mailbox)
    answer = composer.begin_answer(message, person)
    assert client.get(reverse("draft", args=[answer.pk])).context["text"] == "\n\nHälsningar"
    assert forwarding.begin(message, person).text.startswith("\n\nHälsningar\n\n**Vidarebefordrat")
    # Beginning is not writing: what nobody has written in is in no list.
    blank = composer.begin(mailbox, person)
    assert blank not in composer.written_drafts(Draft.objects.all())
    emptied = {"action": "save", "version": answer.version, "subject": answer.subject, "text": ""}
    client.post(reverse("draft", args=[answer.pk]), emptied)
    assert client.get(reverse("draft", args=[answer.pk])).context["text"] == ""


def test_only_who_manages_the_mailbox_says_how_long_it_can_be_undone(mailbox, client):
    karin, eva = a_member("Karin", mailbox), a_member("Eva")
    Membership.objects.create(person=eva, mailbox=mailbox, role=Membership.Role.MANAGER)
    writing, form = reverse("writing", args=[mailbox.pk]), {"action": "undo-seconds", "seconds": "45"}
    log_in(client, karin)
    assert client.post(writing, form).status_code == 404
    log_in(client, eva)
    assert client.post(writing, {**form, "seconds": "9999"}).status_code == 422
    assert client.post(writing, form).status_code == 302
    assert send_order.undo_seconds(FunctionMailbox.objects.get()) == 45


def test_several_references_and_persons_are_sent_and_kept(mailbox, function):
    person = a_member("Karin", mailbox)
    form = {
        "reference_kind": "dnr",
        "reference": "SN 1",
        "reference_kind-2": "",
        "reference-2": "",
        "reference_kind-3": "1.2.752.129.2.1.3.1",
        "reference-3": "191212121212",
        "person_name": "Nils",
        "person_name-2": "Eva",
    }
    draft = ready(mailbox, function, person, **form)
    send_now(draft.pk, draft.version, composer.Content({}), person)
    sent = Message.objects.get()
    assert [(one["root"], one["value"]) for one in sent.sender_references] == [
        ("dnr", "SN 1"),
        ("1.2.752.129.2.1.3.1", "191212121212"),
    ]
    assert [one["label"] for one in sent.recipient_persons] == ["Nils", "Eva"]


def test_a_further_reference_without_its_kind_is_told(mailbox, function):
    person = a_member("Karin", mailbox)
    form = {"reference_kind": "dnr", "reference": "SN 1", "reference_kind-2": "", "reference-2": "SN 2"}
    draft = ready(mailbox, function, person, **form)
    with pytest.raises(composer.DraftIncomplete) as incomplete:
        send_now(draft.pk, draft.version, composer.Content({}), person)
    assert set(incomplete.value.errors) == {"reference_kind"}


def test_a_form_without_further_rows_leaves_them_as_they_are(mailbox, function):
    person = a_member("Karin", mailbox)
    draft = ready(
        mailbox,
        function,
        person,
        **{"reference_kind-2": "dnr", "reference-2": "SN 2", "person_name-2": "Eva"},
    )
    assert draft.references == [("dnr", "SN 2")]
    further = ready(
        mailbox,
        function,
        person,
        **{"reference_kind": "dnr", "reference": "SN 1", "reference_kind-2": "dnr", "reference-2": "SN 2"},
    )
    saved = composer.save(
        further.pk,
        further.version,
        DraftForm.content_of({"reference_kind": "dnr", "reference": "SN 3"}),
        person,
    )
    assert saved.references == [("dnr", "SN 3"), ("dnr", "SN 2")]
