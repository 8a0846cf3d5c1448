"""The test cases of C2.1.4.4.2 by their numbers, and those that its section 7 announces.

A case returns what was observed, in Swedish for the protocol, or raises `Failed` with the deviation.
"Fail" in the specification's list of expected results means that the exchange has to fail.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from transport.protocol.identifiers import DocumentType, ParticipantId

from .bench import Answer, Bench, TestParticipant, removing_recipient

_PATIENCE_SECONDS: Final = 90.0
_AT_ONCE: Final = 20
_LARGE_ATTACHMENT: Final = 40_000_000
_LARGE_ENVELOPE: Final = 70_000_000
_CLOCK_SKEW: Final = timedelta(minutes=2)


class Failed(Exception):
    """The access point under test did not do what the case expects; the text says what it did."""


@dataclass(frozen=True, slots=True)
class Case:
    """A test case. `number` as in C2.1.4.4.2; K-numbers are those that its section 7 announces."""

    number: str
    title: str
    expected: str
    run: Callable[[Bench], str]


CASES: list[Case] = []


def _case(
    number: str, title: str, expected: str
) -> Callable[[Callable[[Bench], str]], Callable[[Bench], str]]:
    def add(run: Callable[[Bench], str]) -> Callable[[Bench], str]:
        CASES.append(Case(number, title, expected, run))
        return run

    return add


@_case(
    "TF-01",
    "Skicka meddelande och ta emot meddelandekvittens",
    "Meddelandet kommer fram och kvittensen tas emot",
)
def sends_and_gets_its_receipt(bench: Bench) -> str:
    before = set(bench.messages_to(bench.test_ap_01))
    outcome = bench.ask_to_send(bench.test_ap_01)
    arrived = [item for item in bench.messages_to(bench.test_ap_01) if item not in before]
    if len(arrived) != 1:
        raise Failed(f"{len(arrived)} meddelanden kom fram till TestAP-01, inte ett ({outcome})")
    if outcome != "delivered":
        raise Failed(f"avsändaren anger {outcome}, fast meddelandet kom fram")
    _nothing_was_wrong(bench)
    return f"Meddelande {arrived[0]} kom fram; meddelandekvittensen togs emot utan felkod"


@_case("TF-02", "Skicka till accesspunkt med revokerat mottagarcertifikat", "Felmeddelande; ingenting sänds")
def does_not_send_to_a_revoked_certificate(bench: Bench) -> str:
    return _is_not_sent(bench, bench.revoked)


@_case("TF-03", "Ta emot från deltagare med certifikat i annan miljö", "Meddelandet accepteras inte")
def does_not_take_from_another_environment(bench: Bench) -> str:
    answer = bench.send(bench.foreign, bench.message(bench.foreign))
    return _was_refused(answer)


@_case("TF-04", "Ta emot meddelande och skicka meddelandekvittens", "Meddelandet tas emot och kvitteras")
def takes_and_sends_a_receipt(bench: Bench) -> str:
    message = bench.message(bench.test_ap_01)
    return _is_receipted(bench, bench.send(bench.test_ap_01, message))


@_case("TF-05", "Skicka meddelande till accesspunkt som är onåbar", "Felmeddelande")
def tells_that_an_access_point_is_away(bench: Bench) -> str:
    return _is_not_sent(bench, bench.unreachable)


@_case("TF-06", "Ta emot meddelande med maximal XHE", "Meddelandet tas emot och kvitteras")
def takes_an_envelope_with_every_field(bench: Bench) -> str:
    message = bench.message(bench.test_ap_01)
    envelope = bench.envelope(bench.test_ap_01, message)
    return _is_receipted(bench, bench.send(bench.test_ap_01, message, envelope=envelope))


@_case("TF-07", "Ta emot meddelande med minimal XHE", "Meddelandet tas emot och kvitteras")
def takes_an_envelope_with_no_more_than_it_must_have(bench: Bench) -> str:
    message = bench.message(bench.test_ap_01)
    envelope = bench.envelope(bench.test_ap_01, message, handling_service_id=None)
    return _is_receipted(bench, bench.send(bench.test_ap_01, message, envelope=envelope))


@_case(
    "TF-08", "Ta emot meddelande på minst 70 MB inklusive XHE", "Meddelandet tas emot och en kvittens skickas"
)
def takes_seventy_megabytes(bench: Bench) -> str:
    message = bench.message(bench.test_ap_01, size=_LARGE_ATTACHMENT)
    sizes: list[int] = []

    def measured(sealed: bytes) -> bytes:
        sizes.append(len(sealed))
        return sealed

    answer = bench.send(bench.test_ap_01, message, alter=measured)
    if sizes[0] < _LARGE_ENVELOPE:
        raise AssertionError(f"the envelope has only {sizes[0]} bytes")
    # A message of more than 30 MB is too long for the message service (B1.3.3 4.3.3.3): it may answer so.
    code = _receipt(bench, answer)
    return f"{sizes[0] // 1_000_000} MB togs emot; meddelandekvittens {code}"


@_case("TF-09", "Ta emot meddelande med felaktigt formaterad XHE", "Följsamhetsfel; ingen meddelandekvittens")
def reports_an_envelope_that_is_not_well_formed_by_the_profile(bench: Bench) -> str:
    message = bench.message(bench.test_ap_01)
    alter = removing_recipient(bench, bench.test_ap_01, message)
    answer = bench.send(bench.test_ap_01, message, alter=alter)
    return _is_not_accepted(bench, answer)


@_case(
    "TF-10", "Ta emot meddelande med fel värde i XHE mot registrerat metadata", "Fel i valideringen av XHE"
)
def finds_a_value_that_is_not_what_the_header_says(bench: Bench) -> str:
    observed = []
    for name, changes in (
        ("ToParty", {"recipient": ParticipantId("0203:nagon-helt-annan.example.se")}),
        ("FromParty", {"sender": bench.type_unknown.participant}),
        ("DOCUMENTID", {"document_type": DocumentType("urn:example:another")}),
        ("PROCESSID", {"process_id": "urn:example:another-process"}),
    ):
        message = bench.message(bench.test_ap_01)
        envelope = bench.envelope(bench.test_ap_01, message, **changes)
        observed.append(
            f"{name}: {_is_not_accepted(bench, bench.send(bench.test_ap_01, message, envelope=envelope))}"
        )
    return "; ".join(observed)


@_case("K-01", "Ta emot ett stort antal samtidiga meddelanden", "Alla tas emot och kvitteras")
def takes_many_at_once(bench: Bench) -> str:
    answers: list[Answer | Exception] = []

    def send() -> None:
        try:
            answers.append(bench.send(bench.test_ap_01, bench.message(bench.test_ap_01)))
        except Exception as error:  # noqa: BLE001 - a thread's failure is told by the case
            answers.append(error)

    _at_once(send)
    broken = [item for item in answers if isinstance(item, Exception)]
    if broken:
        raise Failed(f"{len(broken)} av {_AT_ONCE} sändningar bröts: {type(broken[0]).__name__}")
    for answer in answers:
        _is_receipted(bench, answer)  # type: ignore[arg-type]
    return f"{_AT_ONCE} samtidiga meddelanden togs emot och kvitterades"


@_case("K-02", "Skicka ett stort antal samtidiga meddelanden", "Alla kommer fram, vart och ett en gång")
def sends_many_at_once(bench: Bench) -> str:
    before = set(bench.messages_to(bench.test_ap_01))
    outcomes: list[str] = []
    _at_once(lambda: outcomes.append(bench.ask_to_send(bench.test_ap_01)))
    arrived = [item for item in bench.messages_to(bench.test_ap_01) if item not in before]
    if len(arrived) != _AT_ONCE or len(set(arrived)) != _AT_ONCE:
        raise Failed(f"{len(arrived)} ankomster av {len(set(arrived))} meddelanden, inte {_AT_ONCE}")
    if set(outcomes) != {"delivered"}:
        raise Failed(f"avsändaren anger {', '.join(sorted(set(outcomes)))}")
    return f"{_AT_ONCE} samtidiga meddelanden kom fram, vart och ett en gång"


@_case("K-03", "Skicka till, och ta emot från, annan federation", "Felmeddelande åt båda hållen")
def keeps_to_its_federation(bench: Bench) -> str:
    sent = _is_not_sent(bench, bench.elsewhere)
    message = bench.message(bench.test_ap_01)
    envelope = bench.envelope(bench.test_ap_01, message, federation_id="urn:example:another-federation")
    received = _is_not_accepted(bench, bench.send(bench.test_ap_01, message, envelope=envelope))
    return f"Ut: {sent}. In: {received}"


@_case("K-04", "Skicka till accesspunkt med utgånget mottagarcertifikat", "Felmeddelande; ingenting sänds")
def does_not_send_to_an_expired_certificate(bench: Bench) -> str:
    return _is_not_sent(bench, bench.expired)


@_case(
    "K-05",
    "Ta emot igen, när kvittensen på den första sändningen gått förlorad",
    "Kvitteras igen, levereras en gång",
)
def takes_a_resend_once(bench: Bench) -> str:
    message = bench.message(bench.test_ap_01)
    _is_receipted(bench, bench.send_twice(bench.test_ap_01, message))
    # A second delivery would have been receipted before a message that was sent later.
    _is_receipted(bench, bench.send(bench.test_ap_01, bench.message(bench.test_ap_01)))
    codes = bench.receipts_of(message.header.message_id)
    if len(codes) != 1:
        raise Failed(f"{len(codes)} meddelandekvittenser på ett meddelande: {', '.join(codes)}")
    return "Omsändningen kvitterades; meddelandet levererades en gång"


@_case(
    "K-06",
    "Skicka till mottagare som inte tar emot meddelandetypen; ta emot en typ som inte stöds",
    "Felmeddelande",
)
def keeps_to_the_published_types(bench: Bench) -> str:
    sent = _is_not_sent(bench, bench.type_unknown)
    message = bench.message(bench.test_ap_01)
    other = DocumentType("urn:example:another::document##1.0")
    answer = bench.send(bench.test_ap_01, message, document_type=other)
    if not any("NOT_SERVICED" in error for error in answer.errors):
        raise Failed(f"svarade inte NOT_SERVICED på en annan meddelandetyp: {_in_words(answer)}")
    return f"Ut: {sent}. In: {_in_words(answer)}"


@_case("K-07", "Kontroll av tidsstämplar", "UTC, nära nu, på allt som sänts hit")
def tells_the_right_time(bench: Bench) -> str:
    _is_receipted(bench, bench.send(bench.test_ap_01, bench.message(bench.test_ap_01)))
    moments = [datetime.fromisoformat(moment) for moment in bench.seen.timestamps]
    now = datetime.now(UTC)
    odd = [moment for moment in moments if not bench.started_at - _CLOCK_SKEW <= moment <= now + _CLOCK_SKEW]
    if not moments or odd:
        raise Failed(f"{len(odd)} av {len(moments)} tidsstämplar ligger utanför provets tid")
    return f"{len(moments)} tidsstämplar i UTC, alla från provets tid"


@_case("K-08", "Kontroll av accesspunktens loggar", "Varje utväxlat AS4-meddelande finns i händelseloggen")
def logs_everything(bench: Bench) -> str:
    if bench.log is None:
        raise Failed("händelseloggen har inte lämnats in")
    log = bench.log()
    missing = [identity for identity in bench.seen.as4_ids if identity not in log]
    if missing or not bench.seen.as4_ids:
        raise Failed(f"{len(missing)} av {len(bench.seen.as4_ids)} AS4 MessageId saknas i loggen")
    return f"Alla {len(bench.seen.as4_ids)} AS4 MessageId finns i loggen"


def _is_not_sent(bench: Bench, recipient: TestParticipant) -> str:
    outcome = bench.ask_to_send(recipient)
    if bench.messages_to(recipient):
        raise Failed(f"meddelandet sändes ändå ({outcome})")
    if outcome == "delivered":
        raise Failed("avsändaren anger att meddelandet kom fram")
    return f"Felkod: {outcome}"


def _was_refused(answer: Answer) -> str:
    if answer.is_receipt:
        raise Failed("meddelandet kvitterades av accesspunkten")
    return f"Felkod: {_in_words(answer)}"


def _is_receipted(bench: Bench, answer: Answer) -> str:
    code = _receipt(bench, answer)
    if code != "ACCEPTED":
        raise Failed(f"meddelandekvittensen säger {code}")
    return f"Meddelande {answer.message_id}: transportkvittens och meddelandekvittens {code}"


def _receipt(bench: Bench, answer: Answer) -> str:
    if not answer.is_receipt:
        raise Failed(f"accesspunkten svarade {_in_words(answer)}")
    code = bench.receipt_of(answer.message_id, seconds=_PATIENCE_SECONDS)
    if code is None:
        raise Failed(f"ingen meddelandekvittens inom {_PATIENCE_SECONDS:.0f} sekunder")
    return code


def _is_not_accepted(bench: Bench, answer: Answer) -> str:
    """Check that a message was refused by AS4, rejected by a receipt, or discarded; returns which.

    It counts as discarded when a message that was sent later has been receipted.
    """
    if not answer.is_receipt:
        return f"Felkod: {_in_words(answer)}"
    _is_receipted(bench, bench.send(bench.test_ap_01, bench.message(bench.test_ap_01)))
    codes = bench.receipts_of(answer.message_id)
    if "ACCEPTED" in codes:
        raise Failed("meddelandet accepterades")
    return f"Meddelandekvittens {codes[0]}" if codes else "Kasserat; ingen meddelandekvittens"


def _nothing_was_wrong(bench: Bench) -> None:
    if bench.seen.problems:
        raise Failed("; ".join(bench.seen.problems))


def _in_words(answer: Answer) -> str:
    return ", ".join(answer.errors) or "transportkvittens"


def _at_once(action: Callable[[], object]) -> None:
    """Run the action in many threads that begin at the same moment."""
    gate = threading.Barrier(_AT_ONCE)

    def run() -> None:
        gate.wait()
        action()

    threads = [threading.Thread(target=run) for _ in range(_AT_ONCE)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
