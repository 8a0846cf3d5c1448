"""What rules decide, without a database: every condition, the order, and what comes of several rules."""

from dataclasses import replace

import pytest

from mailbox.arrival_rules.decision import (
    Actions,
    ArrivalFacts,
    Conditions,
    Effect,
    Kind,
    Rule,
    Unreadable,
    decide,
)

FACTS = ArrivalFacts(
    organisation="0203:af.se",
    function="sdk:arbetsträning:0203:af.se",
    subject="Angående ÄRENDE om orosanmälan, barn",
    is_confidential=True,
    our_references=["SN-2026/1031"],
    their_references=["AF 2026 / 7"],
    persons=["Karin Svensson", "karin@habo.se"],
    files=[("Beslut.PDF", "application/pdf"), ("bild", "image/png; a=b")],
)


ALWAYS = Conditions()


def a_rule(key: int, *effects: Kind | Effect, when: Conditions | None = ALWAYS, **more) -> Rule:
    made = (each if isinstance(each, Effect) else Effect(each, key, f"Regel {key}", key) for each in effects)
    return Rule(key, when, tuple(made), **more)


@pytest.mark.parametrize(
    ("conditions", "holds"),
    [
        (Conditions(), True),
        (Conditions(organisations=("0203:af.se",)), True),
        (Conditions(organisations=("0203:habo.se", "*af.se")), True),
        (Conditions(organisations=("0203:AF.se",)), False),
        (Conditions(functions=("sdk:arbets*",)), True),
        (Conditions(functions=("arbets*",)), False),
        (Conditions(functions=("*:*:*",)), True),
        (Conditions(functions=("*:*:*:*",)), False),
        (Conditions(our_references=("sn-2026/*",)), True),
        (Conditions(our_references=("af*",)), False),
        (Conditions(their_references=("AF  2026 / 7",)), True),
        (Conditions(their_references=("SN*",)), False),
        (Conditions(persons=("karin svensson",)), True),
        (Conditions(persons=("svensson",)), True),
        (Conditions(persons=("sven",)), False),
        (Conditions(is_confidential=True), True),
        (Conditions(is_confidential=False), False),
        (Conditions(has_files=True), True),
        (Conditions(has_files=False), False),
        (Conditions(file_types=("docx", "pdf")), True),
        (Conditions(file_types=(".pdf",)), True),
        (Conditions(file_types=("image/*",)), True),
        (Conditions(file_types=("png",)), False),
        (Conditions(file_types=("bild",)), False),
        (Conditions(words=("ärende",)), True),
        (Conditions(words=("a\u0308rende",)), True),
        (Conditions(words=("om  orosanmälan",)), True),
        (Conditions(words=("oros",)), False),
        (Conditions(words=("oros*",)), True),
        (Conditions(words=("*anmälan",)), True),
        (Conditions(words=("*smäl*",)), False),
        (Conditions(words=("*sanmäl*",)), True),
        (Conditions(words=("orosanmälan barn",)), True),
        (Conditions(words=("barn orosanmälan",)), False),
        (Conditions(words=("finns inte", "barn")), True),
        (Conditions(organisations=("0203:af.se",), words=("finns inte",)), False),
    ],
)
def test_a_condition_holds_or_not(conditions, holds):
    assert conditions.hold(FACTS) is holds
    assert Conditions.from_json(conditions.as_json()) == conditions


@pytest.mark.parametrize(
    ("word", "subject"), [("STRASSE", "straße"), ("ﬁn", "FIN"), ("Σίσυφος", "ΣΊΣΥΦΟΣ"), ("i̇", "İ")]
)
def test_case_is_folded_by_unicode(word, subject):
    assert Conditions(words=(word,)).hold(replace(FACTS, subject=subject))


def test_what_a_person_writes_is_no_regular_expression():
    assert not Conditions(words=("o.o", "(a+)+$", "[äÄ]rende")).hold(FACTS)
    assert not Conditions(our_references=("SN.2026.1031", ".*")).hold(FACTS)


def test_of_thousands_of_references_the_first_are_compared():
    many = replace(FACTS, our_references=[f"A{number}" for number in range(100_000)])
    assert Conditions(our_references=("A99",)).hold(many)
    assert not Conditions(our_references=("A100",)).hold(many)


def test_rules_are_looked_at_in_their_order_until_one_stops():
    rules = [a_rule(1, Kind.LABEL), a_rule(2, Kind.LABEL, stops=True), a_rule(3, Kind.LABEL)]
    decision = decide(rules, FACTS)
    assert [effect.value for effect in decision.effects] == [1, 2]
    assert decision.matched == {1, 2}


def test_a_rule_that_does_not_match_does_not_stop():
    never = Conditions(is_confidential=False)
    decision = decide([a_rule(1, Kind.LABEL, when=never, stops=True), a_rule(2, Kind.PRIORITY)], FACTS)
    assert [effect.kind for effect in decision.effects] == [Kind.PRIORITY]


def test_of_assigning_due_dates_and_moves_the_first_rule_decides():
    first = a_rule(1, Kind.ASSIGN_IN_TURN, Kind.DUE)
    second = a_rule(2, Kind.ASSIGN, Kind.DUE, Kind.LABEL, Kind.NOTIFY)
    effects = decide([first, second], FACTS).effects
    assert [(effect.kind, effect.rule_id) for effect in effects] == [
        (Kind.ASSIGN_IN_TURN, 1),
        (Kind.DUE, 1),
        (Kind.LABEL, 2),
        (Kind.NOTIFY, 2),
    ]


def test_a_message_that_is_moved_is_nobody_s_here_and_no_later_rule_moves_it_again():
    rules = [a_rule(1, Kind.ASSIGN, Kind.LABEL), a_rule(2, Kind.MOVE), a_rule(3, Kind.MOVE, Kind.PRIORITY)]
    decision = decide(rules, FACTS)
    assert [(effect.kind, effect.value) for effect in decision.effects] == [(Kind.LABEL, 1), (Kind.MOVE, 2)]
    assert decision.move.value == 2


def test_where_nothing_may_be_moved_the_rest_of_the_rule_is_done_and_the_next_rules_too():
    rules = [a_rule(1, Kind.MOVE, Kind.PRIORITY), a_rule(2, Kind.ASSIGN)]
    decision = decide(rules, FACTS, may_move=False)
    assert [effect.kind for effect in decision.effects] == [Kind.PRIORITY, Kind.ASSIGN]


def test_a_rule_that_cannot_be_read_fails_and_matches_nothing():
    rules = [a_rule(1, when=None, failures=("unreadable",), stops=True), a_rule(2, Kind.PRIORITY)]
    decision = decide(rules, FACTS)
    assert decision.failures == ((1, "unreadable"),)
    assert decision.matched == {2}


@pytest.mark.parametrize(
    "stored",
    [
        None,
        [],
        "x",
        {"unknown": 1},
        {"words": "x"},
        {"words": [1]},
        {"label": "x"},
        {"among": 1},
        {"notify": [None]},
        {"is_priority": []},
    ],
)
def test_what_this_version_does_not_write_cannot_be_read(stored):
    with pytest.raises(Unreadable):
        Conditions.from_json(stored)
    with pytest.raises(Unreadable):
        Actions.from_json(stored)


def test_actions_are_read_as_they_were_written():
    actions = Actions(1, True, 0, 2, True, (3, 4), 5, (6,))
    assert Actions.from_json(actions.as_json()) == actions
    assert Actions().as_json() == {}
