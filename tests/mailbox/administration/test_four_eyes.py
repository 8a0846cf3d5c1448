"""No administrator alone brings others' messages before their own eyes; and those concerned are told."""

import pytest
from django.core import mail
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from addressbook.models import OwnFunction
from mailbox.administration import functions, mailboxes, membership_rules, redirections, routing
from mailbox.models import AccessLogEntry, FunctionMailbox, Membership, MembershipRule, Person, Redirection
from mailbox.notifications import notices
from transport.message_api.clients.routing import route_of
from transport.message_api.clients.routing import set_route as as_it_was
from transport.message_api.models import FunctionRoute
from transport.message_service.models import Organisation

from .build import HERE, a_member, a_person, log_in, with_role

pytestmark = pytest.mark.django_db


@pytest.fixture
def organisation(db) -> Organisation:
    return Organisation.objects.create(participant_id=HERE, name="Håbo kommun")


@pytest.fixture
def eva(organisation) -> Person:
    """Who acts."""
    return with_role("administrator")


@pytest.fixture
def olle(organisation) -> Person:
    """Another administrator."""
    return with_role("administrator", name="Olle")


@pytest.fixture
def theirs(organisation) -> FunctionMailbox:
    """Others' mailbox, with a member who can be told."""
    OwnFunction.objects.create(participant_id=HERE, identifier="sdk:soc", name="Socialtjänst")
    box = FunctionMailbox.objects.create(participant_id=HERE, address="sdk:soc", name="Socialtjänst")
    karin = a_member(box)
    Person.objects.filter(pk=karin.pk).update(mail_address="karin@habo.se")
    return box


def of_eva(box: FunctionMailbox, eva: Person) -> None:
    Membership.objects.create(mailbox=box, person=eva)


def named_by_eva(box: FunctionMailbox, eva: Person) -> None:
    mailboxes.add_member(eva, box, "198001019999", "Bekant")


def by_eva_s_rule(box: FunctionMailbox, eva: Person) -> None:
    membership_rules.make_rule(eva, box, "group", "g")


def by_a_rule_that_eva_confirmed(box: FunctionMailbox, eva: Person) -> None:
    membership_rules.make_rule(with_role("administrator", name="Per"), box, "group", "g")
    membership_rules.confirm_rule(eva, MembershipRule.objects.get(mailbox=box))


@pytest.fixture(params=[of_eva, named_by_eva, by_eva_s_rule, by_a_rule_that_eva_confirmed])
def hers(request, eva) -> FunctionMailbox:
    """A mailbox that Eva reads, or those whom she has named."""
    OwnFunction.objects.create(participant_id=HERE, identifier="sdk:hers", name="Hennes")
    box = FunctionMailbox.objects.create(participant_id=HERE, address="sdk:hers", name="Hennes")
    request.param(box, eva)
    return box


def taker() -> FunctionMailbox | None:
    return routing.receiving_mailbox_of(HERE, "sdk:soc")


def close_with_successor(client) -> None:
    one, other = (OwnFunction.objects.get(identifier=name) for name in ("sdk:soc", "sdk:hers"))
    client.post(reverse("administration-function-close", args=[one.pk]), {"successor": other.pk})


def close_by_a_file(client) -> None:
    told = b"identifier;name;closed;successor\nsdk:soc;Socialtj\xc3\xa4nst;2026-01-01;sdk:hers\n"
    upload = {"organisation": HERE, "file": SimpleUploadedFile("a.csv", told)}
    client.post(reverse("administration-functions-import"), upload)


def close_the_mailbox(client) -> None:
    """Where hers takes what nobody serves."""
    routing.set_catch_all(None, HERE, FunctionMailbox.objects.get(address="sdk:hers"))
    box = FunctionMailbox.objects.get(address="sdk:soc")
    client.post(reverse("administration-open", args=[box.pk]), {"open": "0"})


def close_without_successor(client) -> None:
    routing.set_catch_all(None, HERE, FunctionMailbox.objects.get(address="sdk:hers"))
    one = OwnFunction.objects.get(identifier="sdk:soc")
    client.post(reverse("administration-function-close", args=[one.pk]), {"successor": ""})


WAYS = [close_with_successor, close_by_a_file, close_the_mailbox, close_without_successor]


@pytest.mark.parametrize("way", WAYS)
def test_others_messages_go_to_one_s_own_mailbox_only_when_another_says_so_too(
    client, eva, olle, theirs, hers, way
):
    log_in(client, eva)
    way(client)
    assert taker() == theirs
    assert not OwnFunction.objects.exclude(closed_at=None).exists()
    row = Redirection.objects.get()
    url = reverse("administration-redirection", args=[row.pk])
    client.post(url, {"answer": "confirm"})
    assert taker() == theirs
    log_in(client, olle)
    assert "Bekräfta" in client.get(reverse("administration")).content.decode()
    client.post(url, {"answer": "confirm"})
    assert taker() == hers
    log = [(entry.what, entry.actor) for entry in AccessLogEntry.objects.filter(what__contains="redirection")]
    assert log == [("redirection-proposed", eva), ("redirection-confirmed", olle)]


def test_a_catch_all_of_one_s_own_waits(client, eva, olle, theirs, hers):
    log_in(client, eva)
    form = {"organisation": HERE, "catch_all": hers.pk, "way": "inside"}
    for _ in range(2):
        client.post(reverse("administration-routing"), form)
    assert routing.catch_all_of(HERE) is None
    row = Redirection.objects.get()
    redirections.confirm(olle, row.pk)
    assert routing.catch_all_of(HERE) == hers


def test_a_mailbox_of_one_s_own_takes_nothing_back_from_the_one_that_stands_in(
    client, eva, olle, theirs, hers
):
    FunctionMailbox.objects.filter(pk=hers.pk).update(is_open=False)
    routing.set_catch_all(None, HERE, theirs)
    log_in(client, eva)
    client.post(reverse("administration-open", args=[hers.pk]), {"open": "1"})
    assert routing.receiving_mailbox_of(HERE, "sdk:hers") == theirs
    redirections.confirm(olle, Redirection.objects.get().pk)
    assert routing.receiving_mailbox_of(HERE, "sdk:hers") == hers


def test_another_client_s_function_comes_to_one_s_own_mailbox_only_by_two(
    client, eva, olle, organisation, hers
):
    as_it_was(organisation, "sdk:hers", FunctionRoute.To.EXTERNAL)
    log_in(client, eva)
    for to in ("built-in", "both"):
        value = next(one.value for one in FunctionRoute.To if one.name.lower().replace("_", "-") == to)
        form = {"organisation": HERE, "function": "sdk:hers", "to": value}
        client.post(reverse("administration-client-routes"), form)
        assert route_of(HERE, "sdk:hers") == FunctionRoute.To.EXTERNAL
    redirections.confirm(olle, Redirection.objects.order_by("pk")[0].pk)
    assert route_of(HERE, "sdk:hers") == FunctionRoute.To.BUILT_IN


def test_what_brings_nothing_before_one_s_own_eyes_is_done_at_once(client, eva, theirs):
    OwnFunction.objects.create(participant_id=HERE, identifier="sdk:other", name="Andra")
    other = FunctionMailbox.objects.create(participant_id=HERE, address="sdk:other", name="Andra")
    a_member(other, name="Per")
    one, successor = (OwnFunction.objects.get(identifier=name) for name in ("sdk:soc", "sdk:other"))
    assert functions.close(eva, one, successor)
    assert taker() == other
    assert not redirections.proposed_to(eva).exists()


def test_managers_and_members_are_told_once_where_their_messages_went(client, eva, theirs, settings):
    OwnFunction.objects.create(participant_id=HERE, identifier="sdk:other", name="Andra")
    other = FunctionMailbox.objects.create(participant_id=HERE, address="sdk:other", name="Andra")
    Person.objects.filter(pk=a_member(other).pk).update(mail_address="per@habo.se")
    one, successor = (OwnFunction.objects.get(identifier=name) for name in ("sdk:soc", "sdk:other"))
    functions.close(eva, one, successor)
    for _ in range(2):
        notices.send_notices()
    assert {(sent.to[0], sent.subject) for sent in mail.outbox} == {
        ("karin@habo.se", "Meddelanden till Socialtjänst går till en annan brevlåda eller avvisas"),
        ("per@habo.se", "Meddelanden som var till andra går till Andra"),
    }
    assert len(mail.outbox) == 2


def test_a_proposal_can_be_let_be_and_not_settled_twice(client, eva, olle, theirs):
    OwnFunction.objects.create(participant_id=HERE, identifier="sdk:hers", name="Hennes")
    box = FunctionMailbox.objects.create(participant_id=HERE, address="sdk:hers", name="Hennes")
    of_eva(box, eva)
    log_in(client, eva)
    close_with_successor(client)
    row = Redirection.objects.get()
    redirections.withdraw(eva, row.pk)
    with pytest.raises(redirections.Settled):
        redirections.confirm(olle, row.pk)
    assert taker() == theirs
    notices.send_notices()
    assert mail.outbox == []


def test_a_proposal_that_cannot_be_made_any_more_changes_nothing(client, eva, olle, theirs):
    OwnFunction.objects.create(participant_id=HERE, identifier="sdk:hers", name="Hennes")
    of_eva(FunctionMailbox.objects.create(participant_id=HERE, address="sdk:hers", name="Hennes"), eva)
    log_in(client, eva)
    close_with_successor(client)
    OwnFunction.objects.filter(identifier="sdk:hers").delete()
    with pytest.raises(redirections.Settled):
        redirections.confirm(olle, Redirection.objects.get().pk)
    assert taker() == theirs


def test_administrators_of_another_organisation_neither_see_nor_settle_it(client, eva, theirs):
    box = FunctionMailbox.objects.create(participant_id=HERE, address="sdk:hers", name="Hennes")
    of_eva(box, eva)
    log_in(client, eva)
    client.post(
        reverse("administration-routing"), {"organisation": HERE, "catch_all": box.pk, "way": "inside"}
    )
    row = Redirection.objects.get()
    for other in (with_role("administrator", "0203:annan.se"), a_person()):
        log_in(client, other)
        answer = client.post(reverse("administration-redirection", args=[row.pk]), {"answer": "confirm"})
        assert answer.status_code in {403, 404}
    assert routing.catch_all_of(HERE) is None
