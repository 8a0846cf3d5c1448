"""What mailboxes and messages cost by price lists: decimal, rounded as told, and adding up."""

from datetime import date
from decimal import Decimal

import pytest
from django.urls import reverse

from mailbox.models import AccessLogEntry, FunctionMailbox, PriceList
from mailbox.statistics.departments import prices
from mailbox.statistics.departments.costs import costs_of
from mailbox.statistics.departments.in_words import kronor
from mailbox.statistics.departments.units import unit_of, units_of
from tests.mailbox.build import log_in
from transport.message_service.models import Organisation

from .build import (
    HERE,
    a_conversation,
    a_department,
    a_leader,
    a_mailbox,
    a_message,
    an_administrator,
    at,
    counted,
    messages,
)

pytestmark = pytest.mark.django_db
ELSEWHERE = "0203:nagon-annan.se"


@pytest.fixture
def box():
    Organisation.objects.create(participant_id=HERE, name="Håbo kommun")
    return a_mailbox("Mottagning")


def a_list(begins: str, ends: str = "", of: str = HERE, **amounts: str) -> PriceList:
    return PriceList.objects.create(
        participant_id=of,
        begins_on=date.fromisoformat(begins),
        ends_on=date.fromisoformat(ends) if ends else None,
        **{name: Decimal(amount) for name, amount in amounts.items()},
    )


def costs(person=None, key: str = "", year: int = 2026):
    unit = unit_of(units_of(person or an_administrator()), key)
    assert unit is not None
    return costs_of(unit, year)


def lines(response) -> list[str]:
    return b"".join(response.streaming_content).decode("utf-8-sig").splitlines()


def test_a_years_cost_is_of_the_organisation_its_mailboxes_and_messages(box):
    a_list("2026-01-01", organisation_year="12000", mailbox_year="600", message_in="0.75", message_out="1.2")
    messages(box, 3)
    a_message(a_conversation(box), at("2026-06-01"), "out")
    messages(box, 4, "2025-12-31")
    counted()
    found = costs()
    (row,) = found.mailboxes
    amounts = (row.cost.fee, row.cost.received, row.cost.delivered, row.cost.total)
    assert amounts == tuple(map(Decimal, ("600.00", "2.25", "1.20", "603.45")))
    assert (found.fee, found.total) == (Decimal("12000.00"), Decimal("12603.45"))
    assert (found.days_without, found.messages_without) == (0, 0)
    assert not costs(year=2025).has_prices


@pytest.mark.parametrize(("year", "fee"), [(2024, "366.00"), (2026, "366.00")])
def test_a_whole_year_costs_its_price_in_leap_years_too(box, year, fee):
    a_list("2020-01-01", mailbox_year="366")
    assert costs(year=year).mailboxes[0].cost.fee == Decimal(fee)


def test_a_list_that_has_a_part_of_the_year_costs_its_days(box):
    a_list("2024-02-29", "2024-02-29", mailbox_year="366")
    a_list("2024-03-01", "2024-03-01", mailbox_year="732")
    found = costs(year=2024)
    assert found.mailboxes[0].cost.fee == Decimal("3.00")
    assert found.days_without == 364


def test_messages_cost_what_the_list_of_their_day_says_and_gaps_are_told(box):
    a_list("2026-01-01", "2026-03-01", message_in="1")
    a_list("2026-03-03", message_in="10")
    for day in ("2026-03-01", "2026-03-02", "2026-03-03"):
        messages(box, 1, day)
    counted()
    found = costs()
    assert found.mailboxes[0].cost.received == Decimal("11.00")
    assert (found.days_without, found.messages_without) == (1, 1)


def test_halves_of_an_oere_are_rounded_upwards_in_each_cell_and_sums_add_up(box):
    beside = a_mailbox("Ekonomi")
    row = a_department("Socialförvaltningen", box, beside)
    a_list("2026-01-01", message_in="0.005")
    for each in (box, beside):
        messages(each, 1)
    counted()
    eva = an_administrator()
    found = costs(eva, str(row.pk))
    assert [each.cost.total for each in found.mailboxes] == [Decimal("0.01")] * 2
    assert found.total == sum(each.cost.total for each in found.parts) == Decimal("0.02")
    assert costs(eva).parts[0].cost.total == Decimal("0.02")


def test_a_closed_mailbox_is_charged_in_years_in_which_it_had_messages(box):
    a_list("2020-01-01", mailbox_year="100")
    messages(box, 1)
    FunctionMailbox.objects.update(is_open=False, name="Stängd")
    counted()
    assert costs().mailboxes[0].cost.fee == Decimal(100)
    assert costs(year=2025).mailboxes[0].cost.fee == 0


def test_a_leader_sees_what_their_department_costs_and_not_the_organisation(box, client):
    row = a_department("Socialförvaltningen", box)
    a_mailbox("Ekonomi")
    a_list("2026-01-01", organisation_year="12000", mailbox_year="600")
    leader = a_leader(row)
    assert (costs(leader).fee, costs(leader).total) == (None, Decimal(600))
    log_in(client, leader)
    found = lines(client.get(reverse("department-costs-file"), {"year": "2026"}))
    assert [line.split(";")[3] for line in found] == ["mailbox", "Mottagning"]


def test_the_file_for_the_finance_system_has_decimal_commas_and_no_formulas(box, client):
    FunctionMailbox.objects.update(name="=1+1")
    a_department("@Social", box)
    a_list("2026-01-01", organisation_year="1000.5", mailbox_year="1234567.89", message_in="0.1")
    messages(box, 1)
    counted()
    log_in(client, an_administrator())
    found = lines(client.get(reverse("department-costs-file"), {"year": "2026"}))
    assert found[1] == f"2026;{HERE};;;;;;1000,50;;;1000,50"
    assert found[2] == f"2026;{HERE};'@Social;'=1+1;sdk:Mottagning;1;0;1234567,89;0,10;0,00;1234567,99"
    assert AccessLogEntry.objects.filter(what="statistics-exported").count() == 1


def test_amounts_are_written_without_a_float_in_between():
    assert kronor(Decimal("9999999999.99")) == "9999999999,99"


def test_administrators_keep_price_lists_that_do_not_overlap(box, client):
    log_in(client, an_administrator())
    address = reverse("price-lists")
    given = {"begins_on": "2026-01-01", "mailbox_year": "1 250,50", "message_in": "0,0125"}
    assert client.post(address, given).status_code == 302
    row = PriceList.objects.get()
    assert (row.mailbox_year, row.message_in, row.message_out) == (Decimal("1250.5"), Decimal("0.0125"), 0)
    assert client.post(address, given | {"begins_on": "2027-01-01"}).status_code == 422
    change = reverse("price-list", args=[row.pk])
    client.post(change, {"action": "end", "ends_on": "2025-12-31"})
    row.refresh_from_db()
    assert row.ends_on is None
    client.post(change, {"action": "end", "ends_on": "2026-12-31"})
    assert client.post(address, given | {"begins_on": "2026-12-31"}).status_code == 422
    assert client.post(address, given | {"begins_on": "2027-01-01"}).status_code == 302
    client.post(change, {"action": "end", "ends_on": ""})
    row.refresh_from_db()
    assert row.ends_on == date(2026, 12, 31), "the next list would have the same days"
    client.post(change, {"action": "remove"})
    assert PriceList.objects.count() == 1
    page = client.get(address).content.decode()
    assert "1\N{NO-BREAK SPACE}250,50" in page


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"begins_on": "2026-02-30"},
        {"begins_on": "2026-02-01", "ends_on": "2026-01-31"},
        {"begins_on": "2026-02-01", "message_in": "-1"},
        {"begins_on": "2026-02-01", "message_in": "0,00001"},
        {"begins_on": "2026-02-01", "mailbox_year": "0,001"},
        {"begins_on": "2026-02-01", "mailbox_year": "1e9"},
        {"begins_on": "2026-02-01", "mailbox_year": "NaN"},
        {"begins_on": "2026-02-01", "mailbox_year": "999999999"},
        {"begins_on": "2026-02-01", "mailbox_year": "²"},
        {"begins_on": "2026-02-01", "mailbox_year": "1\0"},
    ],
)
def test_what_is_no_price_list_is_not_one(box, client, given):
    log_in(client, an_administrator())
    assert client.post(reverse("price-lists"), given).status_code == 422
    assert not PriceList.objects.exists()


def test_another_organisations_price_lists_are_not_there(box, client):
    Organisation.objects.create(participant_id=ELSEWHERE, name="Någon annan")
    theirs = a_list("2026-01-01", of=ELSEWHERE, mailbox_year="100")
    eva = an_administrator()
    log_in(client, eva)
    assert client.post(reverse("price-list", args=[theirs.pk]), {"action": "remove"}).status_code == 404
    assert costs(eva).mailboxes[0].cost.fee == 0
    given = {"begins_on": "2026-01-01", "organisation": ELSEWHERE}
    client.post(reverse("price-lists"), given)
    assert PriceList.objects.filter(participant_id=ELSEWHERE).count() == 1


def test_the_page_tells_of_gaps_and_of_years_that_cannot_be(box, client):
    a_list("2026-03-01", mailbox_year="100")
    log_in(client, an_administrator())
    page = " ".join(client.get(reverse("department-costs"), {"year": "2026"}).content.decode().split())
    assert "59 av årets dagar har ingen prislista och kostar inget." in page
    for year in ("0001", "9999", "²", "20\0"):
        assert client.get(reverse("department-costs"), {"year": year}).status_code == 200


def test_the_end_of_a_list_cannot_be_before_its_beginning(box):
    with pytest.raises(prices.EndsTooEarly):
        prices.add(an_administrator(), HERE, date(2026, 2, 1), date(2026, 1, 1), {})
