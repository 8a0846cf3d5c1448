"""Departments: who sees which figures, how the tree is kept, and what figures do not tell."""

from concurrent.futures import ThreadPoolExecutor
from datetime import date

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from mailbox.models import (
    AccessLogEntry,
    Department,
    DepartmentLeader,
    DepartmentMailbox,
    FunctionMailbox,
    Membership,
    MonthlyFigures,
    OrganisationLock,
)
from mailbox.statistics.departments import caution, periods, tree
from mailbox.statistics.departments.counterparts import counterparts_of
from mailbox.statistics.departments.report import report_of
from mailbox.statistics.departments.units import unit_of, units_of
from tests.mailbox.build import log_in
from transport.message_service.models import Organisation

from .build import (
    HERE,
    a_conversation,
    a_department,
    a_leader,
    a_limit,
    a_mailbox,
    a_message,
    a_person,
    an_administrator,
    at,
    clock,
    counted,
    messages,
    workers,
)

pytestmark = pytest.mark.django_db
ELSEWHERE = "0203:nagon-annan.se"
MARCH = periods.period_of(periods.MONTH, date(2026, 3, 1))
ASKED = {"period": "month", "month": "2026-03"}


@pytest.fixture(autouse=True)
def organisations():
    Organisation.objects.create(participant_id=HERE, name="Håbo kommun")
    Organisation.objects.create(participant_id=ELSEWHERE, name="Någon annan")


@pytest.fixture
def boxes():
    return [a_mailbox(name) for name in ("Barn", "Vuxna", "Ekonomi")]


def report(person, key: str = "", period: periods.Period = MARCH):
    unit = unit_of(units_of(person), key)
    assert unit is not None
    return report_of(unit, period)


def names(person) -> list[str]:
    return [unit.name for unit in units_of(person)]


def body(response) -> str:
    return " ".join(response.content.decode().split())


def lines(response) -> list[str]:
    return b"".join(response.streaming_content).decode("utf-8-sig").splitlines()


def test_a_leader_sees_their_department_and_those_below_and_nothing_else(client, boxes):
    social = a_department("Socialförvaltningen")
    children = a_department("Barnenheten", boxes[0], parent=social)
    a_department("Ekonomienheten", boxes[2])
    messages(boxes[0], 5)
    messages(boxes[2], 7)
    counted()
    leader = a_leader(social)
    log_in(client, leader)
    assert names(leader) == ["Socialförvaltningen", "Barnenheten"]
    page = body(client.get(reverse("department-figures"), ASKED))
    assert "Socialförvaltningen" in page
    assert "Ekonomi" not in page
    assert report(leader).total.sums.arrived == 5
    for unit in (HERE, ELSEWHERE, str(Department.objects.get(name="Ekonomienheten").pk), "999999"):
        for name in ("department-figures", "department-counterparts", "department-costs"):
            assert client.get(reverse(name), ASKED | {"unit": unit}).status_code == 404
            assert client.get(reverse(f"{name}-file"), ASKED | {"unit": unit}).status_code == 404
        assert client.post(reverse("monthly-figures"), {"unit": unit, "wanted": "1"}).status_code == 404
    for name in ("departments", "price-lists", "administration", "administration-statistics"):
        assert client.get(reverse(name)).status_code == 404
    assert client.get(reverse("department", args=[children.pk])).status_code == 404
    assert client.get(reverse("mailbox", args=[boxes[0].pk])).status_code == 404
    assert 'href="/administration/avdelningsstatistik"' in client.get("/").content.decode()


def test_a_leader_who_is_locked_out_or_whose_department_is_removed_sees_nothing(client, boxes):
    social = a_department("Socialförvaltningen", boxes[0])
    leader = a_leader(social)
    log_in(client, leader)
    assert client.get(reverse("department-figures")).status_code == 200
    lock = OrganisationLock.objects.create(person=leader, participant_id=HERE)
    assert client.get(reverse("department-figures")).status_code == 404
    lock.delete()
    tree.remove(an_administrator(), social)
    assert client.get(reverse("department-figures")).status_code == 404


def test_an_administrator_of_another_organisation_sees_none_of_it(client, boxes):
    social = a_department("Socialförvaltningen", boxes[0])
    log_in(client, an_administrator(ELSEWHERE))
    assert client.get(reverse("department-figures"), {"unit": HERE}).status_code == 404
    assert "Socialförvaltningen" not in body(client.get(reverse("departments")))
    for name in ("department", "department-remove", "department-mailboxes", "department-leader-add"):
        assert client.post(reverse(name, args=[social.pk])).status_code == 404


def test_sums_go_up_the_tree_and_what_has_no_department_is_told(client, boxes):
    social = a_department("Socialförvaltningen", boxes[1])
    a_department("Barnenheten", boxes[0], parent=social)
    for box, count in zip(boxes, (5, 6, 7), strict=True):
        messages(box, count)
    messages(boxes[0], 4, "2026-02-27")
    counted()
    eva = an_administrator()
    whole = report(eva)
    assert whole.total.sums.arrived == 18
    assert [(row.name, row.sums.arrived, row.before.arrived) for row in whole.parts] == [
        ("Socialförvaltningen", 11, 4),
        ("Ekonomi", 7, 0),
    ]
    assert [row.name for row in whole.without] == ["Ekonomi"]
    within = report(eva, str(social.pk))
    assert [(row.name, row.sums.arrived) for row in within.parts] == [("Barnenheten", 5), ("Vuxna", 6)]
    log_in(client, eva)
    page = body(client.get(reverse("department-figures"), ASKED))
    assert "utan avdelning" in page
    assert "+175 %" in page


def test_a_department_that_moves_within_the_period_takes_its_figures_along(boxes):
    one, other = a_department("Ena"), a_department("Andra")
    moved = a_department("Flyttad", boxes[0], parent=one)
    messages(boxes[0], 5)
    counted()
    eva = an_administrator()
    tree.move(eva, moved, other)
    assert [(row.name, row.sums.arrived) for row in report(eva).departments] == [("Andra", 5), ("Ena", 0)]
    assert report(eva).total.sums.arrived == 5


def test_no_department_comes_to_belong_to_itself(boxes):
    eva = an_administrator()
    top = tree.add(eva, HERE, "Överst", None)
    below = tree.add(eva, HERE, "Under", top)
    lowest = tree.add(eva, HERE, "Underst", below)
    for parent in (top, below, lowest):
        with pytest.raises(tree.CircleRefused):
            tree.move(eva, top, parent)
    with pytest.raises(tree.Gone):
        tree.move(eva, top, a_department("Deras", participant_id=ELSEWHERE))
    with pytest.raises(tree.NameTaken):
        tree.add(eva, HERE, "Under", top)
    for level in range(tree.MOST_LEVELS - 3):
        lowest = tree.add(eva, HERE, f"Nivå {level}", lowest)
    with pytest.raises(tree.TooLarge):
        tree.add(eva, HERE, "För djupt", lowest)


@pytest.mark.django_db(transaction=True)
def test_two_who_move_departments_into_each_other_at_once_close_no_circle():
    eva = an_administrator()
    one, other = a_department("Ena"), a_department("Andra")

    def move(pair: tuple[Department, Department]) -> bool:
        try:
            tree.move(eva, *pair)
        except tree.CircleRefused:
            return False
        finally:
            connection.close()
        return True

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(move, [(one, other), (other, one)])) == [False, True]
    assert len(list(tree.tree_of(HERE).walk())) == 2


def test_a_removed_department_comes_back_with_what_was_removed_with_it(client, boxes):
    eva = an_administrator()
    top = a_department("Överst", boxes[0])
    below = a_department("Under", boxes[1], parent=top)
    earlier = a_department("Tidigare borttagen", parent=top)
    log_in(client, eva)
    client.post(reverse("department-remove", args=[earlier.pk]))
    client.post(reverse("department-remove", args=[top.pk]))
    assert names(eva) == ["Håbo kommun"]
    assert [row.name for row in report(eva).without] == ["Barn", "Ekonomi", "Vuxna"]
    assert [row.name for row in tree.removed_from([HERE])] == ["Överst"]
    # A mailbox that has gone elsewhere meanwhile stays there.
    other = a_department("Annan")
    tree.set_mailboxes(eva, other, [boxes[1].pk])
    client.post(reverse("department-restore", args=[top.pk]))
    assert names(eva) == ["Håbo kommun", "Annan", "Överst", "Under"]
    assert DepartmentMailbox.objects.get(mailbox=boxes[0]).department == top
    assert DepartmentMailbox.objects.get(mailbox=boxes[1]).department == other
    assert below.places.count() == 0
    assert [row.name for row in tree.removed_from([HERE])] == ["Tidigare borttagen"]
    assert AccessLogEntry.objects.filter(what="department-restored").count() == 1


def test_a_department_is_not_restored_beside_one_of_its_name(client):
    eva = an_administrator()
    old = a_department("Socialförvaltningen")
    tree.remove(eva, old)
    a_department("Socialförvaltningen")
    log_in(client, eva)
    page = body(client.post(reverse("department-restore", args=[old.pk]), follow=True))
    assert "Det finns redan en avdelning med det namnet där." in page
    old.refresh_from_db()
    assert old.removed_at is not None


def test_administrators_keep_the_tree_in_pages(client, boxes):
    log_in(client, an_administrator())
    client.post(reverse("departments"), {"name": "Socialförvaltningen"})
    top = Department.objects.get()
    client.post(reverse("departments"), {"name": "Barnenheten", "parent": top.pk})
    row = Department.objects.get(parent=top)
    for box in (boxes[0], a_mailbox("Deras", ELSEWHERE)):
        client.post(
            reverse("department-mailboxes", args=[row.pk]), {"mailboxes": [boxes[0].pk, boxes[1].pk, box.pk]}
        )
    assert sorted(DepartmentMailbox.objects.values_list("mailbox__name", flat=True)) == ["Barn", "Vuxna"]
    client.post(reverse("department-mailboxes", args=[top.pk]), {"mailboxes": [boxes[1].pk]})
    assert DepartmentMailbox.objects.get(mailbox=boxes[1]).department == top
    client.post(reverse("department", args=[row.pk]), {"name": "Unga", "parent": ""})
    row.refresh_from_db()
    assert (row.name, row.parent) == ("Unga", None)
    wrong = client.post(reverse("department", args=[top.pk]), {"name": "Unga", "parent": ""})
    assert wrong.status_code == 422
    assert "Det finns redan en avdelning med det namnet där." in body(wrong)
    for values in ({"name": ""}, {"name": "a\0b"}, {"name": "x" * 121}, {"name": "A", "parent": "²"}):
        assert client.post(reverse("departments"), values).status_code == 422
    page = body(client.get(reverse("departments")))
    assert "1 brevlåda utan avdelning" in page


def test_leaders_are_named_by_administrators_and_not_by_themselves(client, boxes):
    eva = an_administrator()
    row = a_department("Socialförvaltningen", boxes[0])
    karin = a_person("Karin")
    Membership.objects.create(person=karin, mailbox=boxes[0])
    log_in(client, eva)
    address = reverse("department-leader-add", args=[row.pk])
    client.post(address, {"person": karin.pk, "monthly": "1"})
    assert names(karin) == ["Socialförvaltningen"]
    assert MonthlyFigures.objects.get().person == karin
    client.post(address, {"subject": "199001012385", "name": "Ny Chef"})
    leader = DepartmentLeader.objects.get(person__name="Ny Chef")
    assert "Ny Chef" in body(client.get(reverse("administration-people")))
    for values in ({"person": eva.pk}, {}, {"person": a_person().pk}, {"subject": "1", "name": "X"}):
        assert client.post(address, values).status_code == 422
    assert not DepartmentLeader.objects.filter(person=eva).exists()
    change = reverse("department-leader", args=[DepartmentLeader.objects.get(person=karin).pk])
    client.post(change, {"action": "stop"})
    assert not MonthlyFigures.objects.exists()
    client.post(change, {"action": "send"})
    client.post(change, {"action": "remove"})
    assert names(karin) == []
    assert not MonthlyFigures.objects.exists()
    client.post(reverse("administration-remove-person", args=[leader.person_id]))
    assert not DepartmentLeader.objects.exists()
    assert set(AccessLogEntry.objects.values_list("what", flat=True)) >= {"leader-added", "leader-removed"}


def test_how_long_messages_waited_is_told_where_three_people_work(client, boxes):
    row = a_department("Socialförvaltningen", *boxes[:2])
    for box in boxes[:2]:
        talk = a_conversation(box)
        a_message(talk, at("2026-03-02"))
        a_message(talk, at("2026-03-02", "13:00"), "out")
        a_limit(talk, "answered", at("2026-03-02"), missed=True)
    counted()
    workers(boxes[0], 3)
    workers(boxes[1], 1)
    leader, eva = a_leader(row), an_administrator()
    seen = report(leader)
    assert seen.total.tells_times
    assert [each.tells_times for each in seen.parts] == [False, False], "the one is the sum without the other"
    assert all(each.tells_times for each in report(eva, str(row.pk)).parts)
    log_in(client, leader)
    found = lines(client.get(reverse("department-figures-file"), ASKED))
    assert found[1].startswith(
        "total;Socialförvaltningen;2026-03-01;2026-03-31;2;2;0;0;0;4;0;0;0;;;2;1;1;0;;;"
    )
    assert found[1].endswith(";0;0;0;2;0;0")
    assert found[2].startswith("mailbox;Barn;2026-03-01;2026-03-31;1;1;0;0;0;2;0;0;0;;;1;;;0;;;;;")
    workers(boxes[1], 2)
    assert all(each.tells_times for each in report(leader).parts)
    Membership.objects.filter(mailbox=boxes[0]).update(role=Membership.Role.READER)
    Membership.objects.filter(mailbox=boxes[1]).first().delete()
    assert not report(leader).total.tells_times
    assert "visas inte" in body(client.get(reverse("department-figures"), ASKED))


@pytest.mark.parametrize(
    ("counts", "told"),
    [
        ({"a": 5, "b": 9}, {"a", "b"}),
        ({"a": 5, "b": 4}, {"a"}),
        ({"a": 5, "b": 9, "": 1}, {"b"}),
        ({"a": 5, "b": 4, "": 1}, {"a"}),
        ({"": 100}, set()),
        ({}, set()),
    ],
)
def test_seldom_and_protected_counterparts_are_told_as_one_sum(counts, told):
    assert caution.named(counts) == told


def test_counterparts_are_searched_ordered_and_summed(client, boxes):
    for of, count in (("af", 5), ("fk", 8), ("skv", 2)):
        messages(boxes[0], count, of=of)
    protected = a_conversation(boxes[0], is_protected=True)
    for _ in range(9):
        a_message(protected, at("2026-03-02"), of="jour")
    counted()
    found = counterparts_of([boxes[0].pk], MARCH)
    assert [(each.name, each.arrived) for each in found.named] == [("FK", 8), ("AF", 5)]
    assert found.others.arrived == 11
    log_in(client, an_administrator())
    address = reverse("department-counterparts")
    page = body(client.get(address, ASKED | {"order": "name"}))
    assert page.index(">AF<") < page.index(">FK<") < page.index("Övriga")
    assert "JOUR" not in page
    assert "SKV" not in page
    page = body(client.get(address, ASKED | {"question": "fk"}))
    assert ">FK<" in page
    assert ">AF<" not in page
    found = lines(client.get(reverse("department-counterparts-file"), ASKED))
    assert [line.split(";")[0] for line in found] == ["organisation", "FK", "AF", "Övriga"]
    assert client.get(address, ASKED | {"order": "x", "question": "a\0b"}).status_code == 422


def test_a_counterpart_that_is_a_formula_is_text_in_the_file(client, boxes):
    for _ in range(5):
        message = a_message(a_conversation(boxes[0]), at("2026-03-02"))
        message.counterpart_organisation = "=HYPERLINK(1)"
        message.save()
    counted()
    log_in(client, an_administrator())
    assert lines(client.get(reverse("department-counterparts-file"), ASKED))[1].startswith("'=HYPERLINK(1);")
    assert AccessLogEntry.objects.filter(what="statistics-exported").count() == 1


@pytest.mark.parametrize(
    ("asked", "begins", "ends", "before"),
    [
        (ASKED, "2026-03-01", "2026-03-31", "2026-02-01"),
        ({"period": "quarter", "month": "2026-12"}, "2026-10-01", "2026-12-31", "2026-07-01"),
        ({"period": "year", "month": "2024-02"}, "2024-01-01", "2024-12-31", "2023-01-01"),
        ({"period": "month", "month": "2024-02"}, "2024-02-01", "2024-02-29", "2024-01-01"),
        (
            {"period": "days", "since": "2026-03-29", "until": "2026-04-04"},
            "2026-03-29",
            "2026-04-04",
            "2026-03-22",
        ),
    ],
)
def test_periods_and_the_ones_before(client, asked, begins, ends, before):
    log_in(client, an_administrator())
    period = client.get(reverse("department-figures"), asked).context["asked"].period
    found = (period.begins, period.last, period.before.begins)
    assert [day.isoformat() for day in found] == [begins, ends, before]
    assert period.before.ends == period.begins


@pytest.mark.parametrize(
    "asked",
    [
        {"period": "days"},
        {"period": "days", "since": "2026-03-02", "until": "2026-03-01"},
        {"period": "days", "since": "1900-01-01", "until": "9998-12-31"},
        {"period": "days", "since": "x", "until": "2026-03-01"},
        {"period": "century"},
        {"month": "2026-13"},
        {"month": "0001-01"},
        {"month": "9999-12"},
        {"month": "2026-03\0"},
    ],
)
def test_a_period_that_cannot_be_gives_the_last_month_and_says_what_is_wrong(client, asked):
    log_in(client, an_administrator())
    with clock(at("2026-03-31", "23:59")):
        response = client.get(reverse("department-figures"), asked)
    assert response.status_code == 422
    assert response.context["asked"].period == periods.period_of(periods.MONTH, date(2026, 2, 1))


def test_the_bars_count_every_message_once(boxes):
    for day in ("2026-01-01", "2026-03-29", "2026-12-31"):
        messages(boxes[0], 1, day)
    counted()
    eva = an_administrator()
    for kind, bars in ((periods.YEAR, 12), (periods.QUARTER, 14)):
        found = report(eva, period=periods.period_of(kind, date(2026, 1, 1)))
        assert sum(bar.arrived for bar in found.bars) == found.total.sums.arrived
        assert len(found.bars) == bars
    assert len(report(eva).bars) == 31


def test_figures_that_are_not_counted_yet_are_said_to_be_so(client, boxes):
    log_in(client, an_administrator())
    assert "Alla siffror är inte räknade än." in body(client.get(reverse("department-figures")))
    counted()
    assert "Räknat" in body(client.get(reverse("department-figures")))


def test_the_number_of_queries_does_not_grow(client):
    log_in(client, an_administrator())
    pages = [
        reverse(name)
        for name in ("department-figures", "department-counterparts", "department-costs", "departments")
    ]
    counts = []
    for number in range(3):
        top = a_department(f"Avdelning {number}")
        for each in range(4):
            box = a_mailbox(f"Brevlåda {number} {each}")
            a_department(f"Under {each}", box, parent=top)
            messages(box, 5, of=f"o{number}{each}")
        counted()
        found = []
        for address in pages:
            with CaptureQueriesContext(connection) as queries:
                assert client.get(address, ASKED).status_code == 200
            found.append(len(queries))
        counts.append(found)
    assert counts[1] == counts[2]
    assert FunctionMailbox.objects.count() == 12
