"""To several at once, by lists; forwarded, or to another function of one's own organisation."""

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse
from django.utils import timezone

from addressbook import personal
from addressbook.models import FunctionAddress, Organisation
from mailbox import access
from mailbox.drafts import (
    composer,
    distribution_lists,
    draft_files,
    forwarding,
    mailings,
    recipients,
    send_order,
    sent_copy,
)
from mailbox.models import (
    AccessLogEntry,
    Attachment,
    DistributionList,
    Draft,
    FunctionMailbox,
    Mailing,
    Message,
)
from tests.mailbox.build import a_member, arrives, log_in, send_now
from transport.message_service.models import OutgoingMessage
from transport.protocol.sdk_message.message import BytesContent, File
from transport.storage import blobs

from .test_sending import form_of, looked_through, ready, seconds_pass

pytestmark = pytest.mark.django_db
PDF = b"%PDF-1.7 handlingsplan"


@pytest.fixture
def functions(function) -> list[FunctionAddress]:
    """Three functions of two organisations."""
    other = Organisation.objects.create(book_id="2", participant_id="0203:mv.se", name="Migrationsverket")
    further = [
        FunctionAddress.objects.create(
            book_id=f"2{n}", organisation=other, identifier=f"sdk:mv{n}", name=name
        )
        for n, name in enumerate(("Bosättning", "Kvarboende"))
    ]
    return [function, *further]


def to_all(mailbox, functions, person) -> Draft:
    draft = ready(mailbox, functions[0], person)
    told = [recipients.recipient_in(function) for function in functions]
    return recipients.add_recipients(draft.pk, draft.version, told, person)


def content_of(attachment: Attachment) -> bytes:
    with blobs.open_stored(attachment.file_name, attachment.binding) as source:
        return source.read()


def test_each_of_several_gets_a_message_and_files_of_its_own(mailbox, functions):
    person = a_member("Karin", mailbox)
    draft = to_all(mailbox, functions, person)
    draft_files.attach(draft, SimpleUploadedFile("plan.pdf", PDF))
    send_order.order(draft.pk, looked_through(draft), person)
    seconds_pass(draft)
    send_order.send_if_due(draft.pk)
    sent = list(Message.objects.order_by("pk"))
    assert [one.counterpart_address for one in sent] == ["sdk:af", "sdk:mv0", "sdk:mv1"]
    assert len({one.conversation_id for one in sent}) == len({one.message_id for one in sent}) == 3
    assert OutgoingMessage.objects.count() == 3
    attachments = Attachment.objects.all()
    assert len({one.file_name for one in attachments}) == 3
    assert [content_of(one) for one in attachments] == [PDF] * 3
    assert {one.mailing for one in sent} == {Mailing.objects.get()}
    assert not Draft.objects.exists()


def test_one_recipient_is_no_mailing(mailbox, function):
    person = a_member("Karin", mailbox)
    draft = ready(mailbox, function, person)
    send_order.order(draft.pk, looked_through(draft), person)
    seconds_pass(draft)
    send_order.send_if_due(draft.pk)
    assert Message.objects.get().mailing is None


def test_a_worker_that_dies_between_recipients_writes_to_nobody_twice(mailbox, functions, monkeypatch):
    person = a_member("Karin", mailbox)
    draft = to_all(mailbox, functions, person)
    send_order.order(draft.pk, looked_through(draft), person)
    seconds_pass(draft)

    class Killed(BaseException):
        pass

    keep, calls = sent_copy._store, []

    def die_the_second_time(*args, **kwargs):
        calls.append(1)
        if len(calls) == 2:
            raise Killed
        return keep(*args, **kwargs)

    monkeypatch.setattr(sent_copy, "_store", die_the_second_time)
    with pytest.raises(Killed):
        send_order.send_if_due(draft.pk)
    assert Message.objects.count() == OutgoingMessage.objects.count() == 1
    send_order.send_if_due(draft.pk)
    sent = Message.objects.order_by("pk").values_list("counterpart_address", flat=True)
    assert list(sent) == ["sdk:af", "sdk:mv0", "sdk:mv1"]
    assert Mailing.objects.count() == 1


def test_who_cannot_be_reached_is_left_in_the_draft_and_the_overview_says_so(mailbox, functions, client):
    person = a_member("Karin", mailbox)
    draft = to_all(mailbox, functions, person)
    ordered = send_order.order(draft.pk, looked_through(draft), person)
    seconds_pass(draft)
    assert send_order._send_to_next(ordered.pk) is True
    FunctionAddress.objects.filter(identifier="sdk:mv0").update(gone_at=timezone.now())
    send_order.send_if_due(draft.pk)
    draft.refresh_from_db()
    assert draft.trouble == "recipient"
    assert [one.address for one in recipients.recipients_of(draft)] == ["sdk:mv0", "sdk:mv1"]
    log_in(client, person)
    assert "Bosättning" in client.get(reverse("draft", args=[draft.pk])).content.decode()
    overview = client.get(reverse("mailing", args=[Mailing.objects.get().pk])).content.decode()
    assert "Utskicket är inte klart" in overview


def test_the_overview_tells_who_has_received_and_answered(mailbox, functions, client):
    person = a_member("Karin", mailbox)
    draft = to_all(mailbox, functions, person)
    log_in(client, person)
    client.post(reverse("check", args=[draft.pk]), form_of(draft))
    seconds_pass(draft)
    send_order.send_if_due(draft.pk)
    first, second, third = Message.objects.order_by("pk")
    Message.objects.filter(pk__in=[first.pk, second.pk]).update(delivery_state="ACCEPTED")
    Message.objects.filter(pk=third.pk).update(delivery_state="MESSAGE_EXCHANGE_ERROR")
    arrives(mailbox, conversation=str(first.conversation.conversation_id))
    mailing = Mailing.objects.get()
    lines = mailings.deliveries_of(mailing, person)
    assert [line.is_received for line in lines] == [True, True, False]
    assert [line.is_answered for line in lines] == [True, False, False]
    assert [line.has_failed for line in lines] == [False, False, True]
    assert client.get(reverse("draft", args=[draft.pk])).headers["Location"] == reverse(
        "mailing", args=[mailing.pk]
    )
    page = client.get(reverse("mailing", args=[mailing.pk])).content.decode()
    assert "3 mottagare: 2 har fått det, 1 har svarat." in page
    assert "1 kunde inte nås." in page
    listed = client.get(reverse("mailings", args=[mailbox.pk])).content.decode()
    assert "Kallelse till möte" in listed
    conversation = client.get(reverse("conversation", args=[first.conversation_id])).content.decode()
    assert reverse("mailing", args=[mailing.pk]) in conversation


def test_recipients_are_added_once_taken_away_and_counted(mailbox, functions, client, monkeypatch):
    person = a_member("Karin", mailbox)
    draft = ready(mailbox, functions[0], person)
    log_in(client, person)

    def press(action: str, **form: object):
        draft.refresh_from_db()
        said = {"action": action, "version": draft.version, "subject": "Ämne", "text": "Text", **form}
        response = client.post(reverse("draft", args=[draft.pk]), said)
        draft.refresh_from_db()
        return response, [one.address for one in recipients.recipients_of(draft)]

    assert press("add", recipient=functions[1].pk)[1] == ["sdk:af", "sdk:mv0"]
    assert press("add", recipient=functions[1].pk)[1] == ["sdk:af", "sdk:mv0"]
    assert press("clear:0")[1] == ["sdk:mv0"]
    assert press("add", recipient=functions[2].pk)[1] == ["sdk:mv0", "sdk:mv1"]
    assert press(f"clear:{draft.further_recipients.get().pk}")[1] == ["sdk:mv0"]
    monkeypatch.setattr(recipients, "MOST_RECIPIENTS", 1)
    response, told = press("add", recipient=functions[2].pk)
    assert (response.status_code, told) == (422, ["sdk:mv0"])
    assert draft.text == "Text"


def test_a_distribution_list_is_made_kept_and_written_to(mailbox, functions, client):
    person = a_member("Karin", mailbox)
    log_in(client, person)
    writing = reverse("writing", args=[mailbox.pk])
    made = client.post(writing, {"action": "add-list", "list_name": "Samverkan"})
    listed = DistributionList.objects.get()
    url = reverse("distribution-list", args=[listed.pk])
    assert made.headers["Location"] == url
    assert client.post(writing, {"action": "add-list", "list_name": "Samverkan"}).status_code == 422
    for function in functions:
        client.post(url, {"action": "add", "recipient": function.pk})
    client.post(url, {"action": f"remove:{listed.recipients.get(address='sdk:mv1').pk}"})
    assert "Arbetsträning, AF" in client.get(url).content.decode()
    FunctionAddress.objects.filter(identifier="sdk:af").update(gone_at=timezone.now())
    assert "Finns inte längre i adressboken" in client.get(url).content.decode()
    draft = composer.begin(mailbox, person)
    form = {"action": "add-list", "distribution_list": listed.pk, "version": draft.version}
    response = client.post(reverse("draft", args=[draft.pk]), form, follow=True)
    draft.refresh_from_db()
    assert [one.address for one in recipients.recipients_of(draft)] == ["sdk:mv0"]
    assert "lades inte till: Arbetsträning, AF" in response.content.decode()
    client.post(url, {"action": "rename", "name": "Samverkan vuxna"})
    assert DistributionList.objects.get().name == "Samverkan vuxna"
    client.post(url, {"action": "remove-list"})
    assert not DistributionList.objects.exists()


def test_another_mailbox_s_list_cannot_be_written_to(mailbox, functions, client):
    beside = FunctionMailbox.objects.create(participant_id="0203:annan.se", address="b", name="Deras")
    person, other = a_member("Karin", mailbox), a_member("Nils", beside)
    theirs = distribution_lists.create(beside, "Deras", other)
    distribution_lists.add(theirs, functions[0], other)
    assert not access.distribution_lists_of(person).exists()
    draft = composer.begin(mailbox, person)
    log_in(client, person)
    form = {"action": "add-list", "distribution_list": theirs.pk, "version": draft.version}
    assert client.post(reverse("draft", args=[draft.pk]), form).status_code == 404
    assert not recipients.recipients_of(draft)


def test_a_forwarded_message_has_the_original_s_texts_and_copies_of_its_files(mailbox, function, client):
    original = arrives(
        mailbox, text="Det som ska vidare", files=(File("a.pdf", "application/pdf", BytesContent(PDF)),)
    )
    person = a_member("Karin", mailbox)
    log_in(client, person)
    response = client.post(reverse("forward", args=[original.pk]))
    draft = Draft.objects.get()
    assert response.headers["Location"] == reverse("draft", args=[draft.pk])
    assert (draft.subject, draft.is_confidential, draft.answers) == ("Vb: Kallelse", True, None)
    assert "Det som ska vidare" in draft.text
    assert original.counterpart_function in draft.text
    assert AccessLogEntry.objects.filter(what="message-forwarded", actor=person).count() == 1
    draft = recipients.choose_recipient(draft.pk, draft.version, function, person)
    sent = send_now(draft.pk, draft.version, composer.Content({}), person)
    assert sent != original.conversation
    copy = Attachment.objects.get(document__message__conversation=sent)
    assert copy.name == "a.pdf"
    assert copy.file_name != Attachment.objects.get(document__message=original).file_name
    assert content_of(copy) == PDF


def test_a_message_is_forwarded_to_a_mailbox_of_one_s_own_that_the_address_book_lacks(mailbox, client):
    economy = FunctionMailbox.objects.create(
        participant_id=mailbox.participant_id, address="ekonomi", name="Ekonomi"
    )
    original = arrives(mailbox, files=(File("a.pdf", "application/pdf", BytesContent(PDF)),))
    karin = a_member("Karin", mailbox)
    draft = forwarding.begin(original, karin)
    log_in(client, karin)
    form = {"action": "inside", "inside": economy.pk, "version": draft.version, "subject": "Vb: Kallelse"}
    client.post(reverse("draft", args=[draft.pk]), {**form, "text": draft.text, "is_confidential": "on"})
    draft.refresh_from_db()
    assert "Inom organisationen" in client.get(reverse("check", args=[draft.pk])).content.decode()
    send_order.order(draft.pk, looked_through(draft, is_confirmed=True), karin)
    seconds_pass(draft)
    send_order.send_if_due(draft.pk)
    ordered = OutgoingMessage.objects.get()
    assert (ordered.recipient, ordered.handling_service_id) == (mailbox.participant_id, "ekonomi")
    sent = Message.objects.get(direction="out")
    assert sent.counterpart_function == "Ekonomi"
    assert content_of(Attachment.objects.get(document__message=sent)) == PDF


def test_what_malicious_code_was_found_in_is_not_forwarded(mailbox):
    original = arrives(mailbox, files=(File("a.pdf", "application/pdf", BytesContent(PDF)),))
    Attachment.objects.update(is_blocked=True)
    assert not forwarding.begin(original, a_member("Karin", mailbox)).attachments.exists()


def test_a_mailbox_that_closes_takes_nothing_from_inside(mailbox):
    economy = FunctionMailbox.objects.create(
        participant_id=mailbox.participant_id, address="ekonomi", name="Ekonomi"
    )
    person = a_member("Karin", mailbox)
    draft = composer.begin(mailbox, person)
    draft = composer.save(draft.pk, draft.version, composer.Content({"subject": "Ä", "text": "T"}), person)
    draft = recipients.choose_own_mailbox(draft.pk, draft.version, economy, person)
    FunctionMailbox.objects.filter(pk=economy.pk).update(is_open=False)
    with pytest.raises(composer.DraftIncomplete):
        send_order.order(draft.pk, looked_through(draft), person)


def test_a_mailbox_of_another_organisation_is_not_inside(mailbox, client):
    theirs = FunctionMailbox.objects.create(participant_id="0203:annan.se", address="b", name="Deras")
    person = a_member("Karin", mailbox)
    draft = composer.begin(mailbox, person)
    log_in(client, person)
    form = {"action": "inside", "inside": theirs.pk, "version": draft.version}
    assert client.post(reverse("draft", args=[draft.pk]), form).status_code == 404
    unchanged = recipients.choose_own_mailbox(draft.pk, draft.version, theirs, person)
    assert (unchanged.is_inside, unchanged.recipient_address) == (False, "")


def test_who_is_chosen_is_not_offered_as_a_recipient_again(mailbox, functions, client):
    person = a_member("Karin", mailbox)
    log_in(client, person)
    draft = to_all(mailbox, functions[:2], person)
    for function in functions:
        personal.set_favourite(person.pk, function, is_favourite=True)
    page = client.get(reverse("draft", args=[draft.pk]))
    assert [function.pk for function in page.context["suggestions"]] == [functions[2].pk]
    assert page.context["chosen_functions"] == sorted(function.pk for function in functions[:2])
    # The same name elsewhere is somebody else.
    FunctionAddress.objects.filter(pk=functions[1].pk).update(organisation=functions[0].organisation)
    page = client.get(reverse("draft", args=[draft.pk]))
    assert page.context["chosen_functions"] == [functions[0].pk]
