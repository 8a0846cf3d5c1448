"""The pages of deliveries for members, and of case systems for administrators and managers."""

import uuid

import pytest
from django.urls import reverse

from mailbox.administration import retention
from mailbox.case_systems import deliveries, systems
from mailbox.conversations import case_deliveries, state_changes
from mailbox.models import (
    AccessLogEntry,
    CaseDelivery,
    CaseSystem,
    CaseSystemMailbox,
    Conversation,
    FunctionMailbox,
    Membership,
    OrganisationRole,
    RetentionProtocol,
)
from tests.mailbox.build import a_member, log_in
from transport.message_service.models import Organisation

from .build import (
    a_case_system,
    a_registered,
    another_message,
    answers,
    handed_over,
    ordered,
    polled,
    refuses,
    work_on_due,
)

pytestmark = pytest.mark.django_db
HERE = "0203:habo.se"


def page_of(client, name, *args) -> str:
    response = client.get(reverse(name, args=args))
    assert response.status_code == 200
    return " ".join(response.content.decode().split())


def an_administrator(name: str, participant: str = HERE):
    person = a_member(name)
    OrganisationRole.objects.create(person=person, participant_id=participant)
    return person


@pytest.fixture
def eva(mailbox, client):
    person = an_administrator("Eva")
    log_in(client, person)
    return person


# For members.


def test_the_conversation_leads_to_the_order_and_shows_how_far_it_has_come(
    mailbox, karin, system, folder, client
):
    conversation = a_registered(mailbox, karin)
    url = reverse("case-delivery-order", args=[conversation.pk])
    assert url in page_of(client, "conversation", conversation.pk)
    assert "Diariet" in page_of(client, "case-delivery-order", conversation.pk)
    response = client.post(url, {"case_system": system.pk})
    assert response.headers["Location"] == reverse("conversation", args=[conversation.pk])
    assert "Väntar på att överlämnas till Diariet" in page_of(client, "conversation", conversation.pk)
    work_on_due()
    assert "Överlämnad till Diariet, väntar på kvittens" in page_of(client, "conversation", conversation.pk)
    answers(folder, CaseDelivery.objects.get().pk)
    polled()
    page = page_of(client, "conversation", conversation.pk)
    assert "Mottagen av Diariet: KS 2026/3117" in page
    assert "Karin beställde att den överlämnas till Diariet" in page


def test_without_a_case_system_nothing_is_offered(mailbox, karin, client):
    conversation = a_registered(mailbox, karin)
    url = reverse("case-delivery-order", args=[conversation.pk])
    assert url not in page_of(client, "conversation", conversation.pk)
    assert "Brevlådan har inget ärendesystem" in page_of(client, "case-delivery-order", conversation.pk)


def test_what_is_not_registered_leads_to_registration_first(mailbox, karin, system, client):
    conversation = a_registered(mailbox, karin)
    Conversation.objects.update(registration_state="pending")
    page = page_of(client, "case-delivery-order", conversation.pk)
    assert reverse("register", args=[conversation.pk]) in page
    url = reverse("case-delivery-order", args=[conversation.pk])
    response = client.post(url, {"case_system": system.pk})
    assert response.status_code == 422
    assert not CaseDelivery.objects.exists()


@pytest.mark.parametrize("given", ["", "0", "x", "9" * 40, "1\0", "-1"])
def test_an_odd_choice_orders_nothing(mailbox, karin, system, client, given):
    conversation = a_registered(mailbox, karin)
    url = reverse("case-delivery-order", args=[conversation.pk])
    assert client.post(url, {"case_system": given}).status_code == 422
    assert not CaseDelivery.objects.exists()


def test_members_see_what_waits_failed_and_was_accepted(mailbox, karin, system, folder, client):
    refused, acknowledged = (handed_over(mailbox, karin, system) for _ in range(2))
    refuses(folder, refused.pk)
    answers(folder, acknowledged.pk)
    polled()
    ordered(mailbox, karin, system)
    page = page_of(client, "case-deliveries", mailbox.pk)
    assert "Avvisad av Diariet" in page
    assert "Skäl: Fel diarium" in page
    assert "Väntar på att överlämnas till Diariet" in page
    assert "Mottagen av Diariet" in page
    assert reverse("case-delivery-retry", args=[refused.pk]) in page
    assert reverse("case-delivery-withdraw", args=[acknowledged.pk]) not in page


def test_buttons_retry_and_withdraw(mailbox, karin, system, folder, client):
    delivery = handed_over(mailbox, karin, system)
    client.post(reverse("case-delivery-retry", args=[delivery.pk]))
    delivery.refresh_from_db()
    assert delivery.state == "waiting"
    response = client.post(reverse("case-delivery-retry", args=[delivery.pk]), follow=True)
    assert "Det har redan ändrats" in response.content.decode()
    client.post(reverse("case-delivery-withdraw", args=[delivery.pk]))
    delivery.refresh_from_db()
    assert delivery.state == "withdrawn"
    acknowledged = handed_over(mailbox, karin, system)
    answers(folder, acknowledged.pk)
    polled()
    response = client.post(reverse("case-delivery-withdraw", args=[acknowledged.pk]), follow=True)
    assert "har redan tagit emot den" in response.content.decode()


def test_a_former_member_sees_and_does_nothing(mailbox, karin, system, client):
    delivery = handed_over(mailbox, karin, system)
    Membership.objects.all().delete()
    for name, key in (
        ("case-deliveries", mailbox.pk),
        ("case-delivery-order", delivery.conversation_id),
    ):
        assert client.get(reverse(name, args=[key])).status_code == 404
    for name in ("case-delivery-retry", "case-delivery-withdraw"):
        assert client.post(reverse(name, args=[delivery.pk])).status_code == 404
    delivery.refresh_from_db()
    assert delivery.state == "delivered"


# For administrators.


def given(**changes) -> dict[str, str]:
    return {"organisation": HERE, "name": "Diariet", "kind": "directory", "folder": "diariet"} | changes


def test_what_one_administrator_sets_up_another_confirms(mailbox, eva, client):
    response = client.post(reverse("administration-case-systems"), given())
    system = CaseSystem.objects.get()
    url = reverse("administration-case-system", args=[system.pk])
    assert response.headers["Location"] == url
    client.post(url, {"name": "Diariet", "mailboxes": [mailbox.pk]})
    system.refresh_from_db()
    assert not system.is_confirmed
    page = page_of(client, "administration-case-system", system.pk)
    confirm = reverse("administration-case-system-confirm", args=[system.pk])
    assert confirm not in page
    shown = {"changed_at": system.changed_at.isoformat()}
    response = client.post(confirm, shown, follow=True)
    assert "Någon annan än den som ändrade måste bekräfta." in response.content.decode()
    log_in(client, an_administrator("Nils"))
    assert system.changed_at.isoformat() in page_of(client, "administration-case-system", system.pk)
    client.post(confirm, shown)
    system.refresh_from_db()
    assert system.is_active
    assert list(AccessLogEntry.objects.order_by("number").values_list("what", flat=True)) == [
        "case-system-created",
        "case-system-changed",
        "case-system-confirmed",
    ]


@pytest.mark.parametrize("moment", ["", "x", "2026-13-45T00:00", "2026-01-01T00:00:00Z", "\0"])
def test_what_was_changed_since_the_page_was_shown_is_not_confirmed(mailbox, eva, client, moment):
    system = a_case_system(mailbox, is_confirmed=False)
    client.post(reverse("administration-case-system-confirm", args=[system.pk]), {"changed_at": moment})
    system.refresh_from_db()
    assert not system.is_confirmed


def test_a_mailbox_more_and_another_address_wait_and_less_does_not(mailbox, eva, client, settings):
    settings.SDK_WEBHOOK_HOSTS = ["arkiv.habo.se"]
    beside = FunctionMailbox.objects.create(participant_id=HERE, address="b", name="Ekonomi")
    system = a_case_system(mailbox, kind=CaseSystem.Kind.WEBHOOK, folder="")

    def change(mailboxes, address=""):
        return systems.change(eva, system, name="Nytt", webhook_url=address, mailbox_ids=mailboxes)

    assert not change([])
    assert change([mailbox.pk])
    CaseSystem.objects.update(is_confirmed=True)
    assert change([mailbox.pk, beside.pk])
    CaseSystem.objects.update(is_confirmed=True)
    assert change([mailbox.pk], "https://arkiv.habo.se/")


def test_no_mailbox_of_another_organisation_is_let_use_it(mailbox, eva, client):
    theirs = FunctionMailbox.objects.create(participant_id="0203:annan.se", address="x", name="Annans")
    system = a_case_system(mailbox)
    url = reverse("administration-case-system", args=[system.pk])
    client.post(url, {"name": "Diariet", "mailboxes": [mailbox.pk, theirs.pk, "x", "9" * 30]})
    assert set(CaseSystemMailbox.objects.values_list("mailbox", flat=True)) == {mailbox.pk}


def test_nor_is_a_case_system_set_up_for_another_organisation(mailbox, eva, client):
    Organisation.objects.create(participant_id="0203:annan.se", name="Annan")
    response = client.post(reverse("administration-case-systems"), given(organisation="0203:annan.se"))
    assert response.status_code == 422
    theirs = FunctionMailbox.objects.create(participant_id="0203:annan.se", address="x", name="Annans")
    system = a_case_system(theirs)
    url = reverse("administration-case-system", args=[system.pk])
    assert client.get(url).status_code == client.post(url, given()).status_code == 404


@pytest.mark.parametrize(
    "changes",
    [
        {"name": ""},
        {"name": "x" * 61},
        {"name": "a\0b"},
        {"kind": "sftp"},
        {"kind": ""},
        {"folder": ""},
        {"folder": ".."},
        {"folder": "../annan"},
        {"folder": "a/b"},
        {"folder": "/etc"},
        {"folder": "Diariet"},
        {"folder": "-a"},
        {"folder": "a" * 41},
        {"kind": "webhook", "address": "ftp://arkiv.habo.se/"},
        {"kind": "webhook", "address": "https://annan.se/"},
        {"kind": "webhook", "address": "https://eva:hemlig@arkiv.habo.se/"},
        {"kind": "webhook", "address": "x"},
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_set_up(mailbox, eva, client, settings, changes):
    settings.SDK_WEBHOOK_HOSTS = ["arkiv.habo.se"]
    response = client.post(reverse("administration-case-systems"), given(**changes))
    assert response.status_code == 422
    assert "Rätta detta" in response.content.decode()
    assert not CaseSystem.objects.exists()


def test_a_directory_is_offered_only_where_the_operator_has_given_one(mailbox, eva, client, settings):
    settings.SDK_CASE_SYSTEM_DIRECTORY = ""
    response = client.post(reverse("administration-case-systems"), given())
    assert "har inte gett ärendesystem någon katalog" in response.content.decode()


@pytest.mark.parametrize("twice", [given(name="Annat"), given(folder="annat")])
def test_no_two_have_the_same_name_or_folder(mailbox, eva, client, twice):
    client.post(reverse("administration-case-systems"), given())
    assert client.post(reverse("administration-case-systems"), twice).status_code == 422
    assert CaseSystem.objects.count() == 1


def test_secrets_are_shown_once(mailbox, eva, client):
    system = a_case_system(mailbox, kind=CaseSystem.Kind.WEBHOOK, folder="")
    response = client.post(reverse("administration-case-system-secrets", args=[system.pk]))
    assert "whsec_" in response.content.decode()
    assert "no-store" in response["Cache-Control"]
    assert "whsec_" not in page_of(client, "administration-case-system", system.pk)
    system.refresh_from_db()
    assert not system.is_confirmed


def test_administrators_see_counts_and_causes_and_no_conversation(mailbox, karin, system, folder, client):
    delivery = handed_over(mailbox, karin, system)
    Conversation.objects.filter(pk=delivery.conversation_id).update(counterpart="Hemliga motparten")
    refuses(folder, delivery.pk, "Hemligt skäl")
    answers(folder, uuid.uuid4())
    polled()
    log_in(client, an_administrator("Eva"))
    for page in (
        page_of(client, "administration-case-systems"),
        page_of(client, "administration-case-system", system.pk),
    ):
        assert "Hemlig" not in page
        assert "1 felaktig kvittens" in page
        assert reverse("conversation", args=[delivery.conversation_id]) not in page
    assert "Ärendesystemet avvisade den." in page
    assert "överlämningen finns inte här" in page


def test_a_case_system_is_switched_off_at_once_and_on_again(mailbox, karin, system, client, folder):
    delivery = ordered(mailbox, karin, system)
    log_in(client, an_administrator("Eva"))
    url = reverse("administration-case-system-enabled", args=[system.pk])
    client.post(url, {"enabled": "0"})
    deliveries.work_on(delivery.pk)
    delivery.refresh_from_db()
    assert delivery.cause == "paused"
    client.post(url, {"enabled": "1"})
    work_on_due()
    delivery.refresh_from_db()
    assert delivery.state == "delivered"


# For managers.


def test_a_manager_says_what_is_handed_over_by_itself(mailbox, karin, system, client):
    url = reverse("case-systems-mailbox", args=[mailbox.pk])
    assert url in page_of(client, "administration-mailbox", mailbox.pk)
    assert "När överlämnas konversationer till Diariet?" in page_of(
        client, "case-systems-mailbox", mailbox.pk
    )
    for value, stored in (("done", "done"), ("registered", "registered"), ("order", "")):
        client.post(url, {f"system-{system.pk}": value})
        assert CaseSystemMailbox.objects.get().delivers_at == stored
    assert AccessLogEntry.objects.filter(what="case-system-mailbox-set", mailbox=mailbox).count() == 3
    for odd in ("", "x", "\0"):
        assert client.post(url, {f"system-{system.pk}": odd}).status_code == 422


def test_an_administrator_who_does_not_read_the_mailbox_does_not(mailbox, system, eva, client):
    url = reverse("case-systems-mailbox", args=[mailbox.pk])
    assert client.get(url).status_code == 404
    assert url not in page_of(client, "administration-mailbox", mailbox.pk)


# Retention.


def done(conversation, karin) -> None:
    state_changes.finish(conversation.pk, karin)
    Conversation.objects.update(last_activity_at="2020-01-01T00:00Z")


@pytest.fixture
def rule(mailbox, karin):
    retention.set_rule(karin, mailbox, "handed-over", 30, confirmation=mailbox.name)


@pytest.mark.usefixtures("rule")
def test_what_was_handed_over_and_accepted_is_deleted_with_a_protocol(mailbox, karin, system, folder):
    delivery = handed_over(mailbox, karin, system)
    done(delivery.conversation, karin)
    assert retention.run() == 0
    answers(folder, delivery.pk)
    polled()
    assert retention.preview(mailbox, "handed-over", 30).now == 1
    assert retention.run() == 1
    assert not Conversation.objects.exists()
    assert not CaseDelivery.objects.exists()
    protocol = RetentionProtocol.objects.get()
    assert (protocol.state, protocol.days) == ("handed-over", 30)
    assert AccessLogEntry.objects.filter(what="case-delivery-acknowledged").exists()


@pytest.mark.usefixtures("rule")
def test_what_the_receiver_does_not_have_whole_or_is_not_done_stays(mailbox, karin, system, folder):
    delivery = handed_over(mailbox, karin, system)
    answers(folder, delivery.pk)
    polled()
    Conversation.objects.update(last_activity_at="2020-01-01T00:00Z")
    assert retention.run() == 0
    another_message(delivery.conversation)
    done(delivery.conversation, karin)
    assert retention.run() == 0


@pytest.mark.usefixtures("rule")
def test_a_refused_one_stays(mailbox, karin, system, folder):
    delivery = handed_over(mailbox, karin, system)
    refuses(folder, delivery.pk)
    polled()
    done(delivery.conversation, karin)
    assert retention.run() == 0


def test_no_rule_deletes_what_is_on_its_way(mailbox, karin, system, folder):
    retention.set_rule(karin, mailbox, "done", 30, confirmation=mailbox.name)
    conversation = a_registered(mailbox, karin)
    delivery = case_deliveries.order(conversation.pk, karin, system.pk)
    done(conversation, karin)
    assert retention.run() == 0
    deliveries.withdraw(delivery.pk, karin)
    # Its files are removed first.
    assert retention.run() == 0
    work_on_due()
    assert retention.run() == 1


def test_a_held_one_stays(mailbox, karin, system, folder, rule):
    delivery = handed_over(mailbox, karin, system)
    answers(folder, delivery.pk)
    polled()
    done(delivery.conversation, karin)
    retention.hold(karin, delivery.conversation)
    assert retention.run() == 0


def test_the_rule_has_its_page(mailbox, eva, client):
    page = page_of(client, "administration-retention-rule", mailbox.pk, "handed-over")
    assert "Överlämnade och mottagna" in page
