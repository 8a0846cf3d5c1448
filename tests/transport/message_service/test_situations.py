"""The situations of B1.3.3 section 5.3, each made to happen between two organisations: what the receipt says,
and what the sender's caseworker reads."""

import io
import uuid

import pytest
from django.db import connection
from django.utils import timezone

from mailbox.delivery.ladder import ladder_of
from mailbox.models import Message as MailboxMessage
from testbed.clamav import EICAR
from tests.world import changed, work_is_clean
from transport.message_service import orders, outbound
from transport.message_service.models import IncomingMessage, OutgoingMessage, QuarantinedFile
from transport.message_service.states import OutgoingState
from transport.message_service.tracking import deadlines
from transport.message_service.tracking.deliveries import delivery_of
from transport.protocol.message_receipt import ResponseCode
from transport.protocol.sdk_message.message import BytesContent, File, write_message

pytestmark = pytest.mark.xdist_group("federation-messages")
T = "{urn:riv:infrastructure:messaging:MessageWithAttachments:3}"


def written(message) -> bytes:
    out = io.BytesIO()
    write_message(message, out)
    return out.getvalue()


def codes(receipt) -> set[tuple[str, str | None]]:
    return {(cause.reason, cause.detail_code) for cause in receipt.causes}


def sent(world, envelope: bytes, message_id: str, **options) -> None:
    """Send an envelope as the sender's message service would have: it waits for the receipt of what it sent.

    What is wrong with it, a message service of this project would not have let out.
    """
    sender = options.get("sender", world.sender)
    OutgoingMessage.objects.create(
        organisation=sender.organisation,
        message_id=message_id,
        conversation_id=message_id,
        recipient=world.recipient.participant.value,
        state=OutgoingState.SUBMITTED,
        transfer_reference=(reference := uuid.uuid4()),
    )
    world.transfer(envelope, reference=reference, **options)


def reads(world, message_id, sender=None) -> str:
    """What the caseworker who sent it reads, the ladder's last step first."""
    participant = (sender or world.sender).participant.value
    ladder = ladder_of(delivery_of(participant, uuid.UUID(str(message_id))))
    last = ladder.rungs[-1]
    return f"{last.name} ({last.status}). {ladder.problem} {ladder.advice}".strip()


REJECTED = "Avvisat av mottagaren (failed). "
TECHNICAL = "Tala om det för er administratör: det är ett tekniskt fel."
NOT_SUPPORTED = (
    REJECTED + "Mottagaren tar inte emot en av filtyperna, eller det meddelande som ni svarar på är avvisat. "
    "Skicka bilagan som PDF, eller börja en ny konversation."
)
UNPROVEN = (
    REJECTED + "Mottagarens system kunde inte styrka att meddelandet kommer från er. "
    "Tala om det för er administratör: certifikatet kan ha bytts eller spärrats."
)


def delivered(message_id: str) -> int:
    return MailboxMessage.objects.filter(message_id=message_id, direction="in").count()


def test_1_a_message_is_accepted_and_its_history_tells_each_step(world, settings):
    pdf = File("a.pdf", "application/pdf", BytesContent(b"%PDF-1.7"))
    message_id = orders.order(world.message(files=(pdf,)), actor="Karin")
    world.pump()
    delivery = delivery_of(world.sender.participant.value, message_id)
    assert delivery.state is OutgoingState.ACCEPTED
    names = [event.name for event in delivery.events]
    assert names == [
        "SCHEDULED",
        "SUBMITTED",
        "TRANSPORT_RECEIPT",
        "ACKNOWLEDGE",
        "WAITING_FOR_RECEIPT",
        "ACCEPTED",
    ]
    assert delivery.transport_receipt_at < delivery.message_receipt_at
    assert delivered(str(message_id)) == 1
    incoming = IncomingMessage.objects.get(message_id=message_id)
    assert [event.name for event in incoming.events.all()] == ["RETRIEVED", "RECEIPT_SENT", "NEW"]
    assert work_is_clean(settings.SDK_WORK_DIR)
    receipt = OutgoingMessage.objects.get(answers=incoming)
    assert receipt.handling_service_id == world.recipient.mailbox.address
    assert not OutgoingMessage.objects.filter(answers__transfer_id=receipt.pk).exists()
    answer = world.answer_to(message_id)
    assert (answer.code, answer.causes) == (ResponseCode.ACCEPTED, ())
    assert reads(world, message_id) == "Mottaget av verksamheten (done)."


def test_2_a_broken_structure_is_sv_structure(world):
    message = world.message()
    data = changed(written(message), f".//{T}confidentiality", "kanske")
    message_id, envelope = world.sealed(data, message_id=message.header.message_id)
    sent(world, envelope, message_id)
    receipt = world.answer_to(message_id)
    assert receipt.code is ResponseCode.REJECTED
    assert ("SV", "structure") in codes(receipt)
    assert "kanske" not in "".join(cause.text for cause in receipt.causes)
    assert delivered(message_id) == 0
    assert reads(world, message_id) == (
        f"{REJECTED}Mottagarens system kunde inte läsa meddelandet. {TECHNICAL}"
    )


def test_3_malicious_code_is_bv_forbidden(world):
    bad = File("faktura.pdf", "application/pdf", BytesContent(b"%PDF-1.7\n" + EICAR))
    message_id, envelope = world.sealed(world.message(files=(bad,)))
    sent(world, envelope, message_id)
    receipt = world.answer_to(message_id)
    assert receipt.code is ResponseCode.REJECTED
    assert codes(receipt) == {("BV", "forbidden")}
    assert "Eicar" not in "".join(cause.text for cause in receipt.causes)
    assert delivered(message_id) == 0
    assert QuarantinedFile.objects.filter(direction="in", message_id=message_id).count() == 1
    assert reads(world, message_id) == (
        f"{REJECTED}Mottagaren fann skadlig kod i en bilaga. "
        "Skicka inte bilagan igen. Tala om det för er administratör."
    )


def test_4_a_message_that_is_too_large_is_bv_too_long(world, settings):
    settings.SDK_MAX_MESSAGE_BYTES = 3000
    message_id, envelope = world.sealed(world.message(text="x" * 4000))
    sent(world, envelope, message_id)
    assert codes(world.answer_to(message_id)) == {("BV", "too-long")}
    assert delivered(message_id) == 0
    assert reads(world, message_id) == (
        f"{REJECTED}Meddelandet är för stort för mottagaren. Dela upp bilagorna på flera meddelanden."
    )


def test_5_a_broken_rule_is_bv_invariant(world):
    message = world.message()
    data = changed(written(message), f".//{T}conversationId", "ingen-uuid")
    message_id, envelope = world.sealed(data, message_id=message.header.message_id)
    sent(world, envelope, message_id)
    assert codes(world.answer_to(message_id)) == {("BV", "invariant")}
    assert delivered(message_id) == 0
    assert reads(world, message_id) == (
        f"{REJECTED}Meddelandet följer inte federationens regler, enligt mottagarens system. {TECHNICAL}"
    )


def test_6_a_message_id_that_was_accepted_before_is_bv_duplicate(world):
    message = world.message()
    message_id, envelope = world.sealed(message)
    world.transfer(envelope)
    assert world.answer_to(message_id).code is ResponseCode.ACCEPTED
    sent(world, world.sealed(message)[1], message_id)
    assert codes(world.answer_to(message_id)) == {("BV", "duplicate")}
    assert delivered(message_id) == 1
    assert reads(world, message_id) == (
        f"{REJECTED}Mottagaren har redan fått ett meddelande med samma identitet. "
        "Kontrollera att det första kom fram; annars skriv meddelandet på nytt."
    )


def test_7_a_reference_to_an_unknown_message_is_accepted(world):
    message_id, envelope = world.sealed(world.message(ref_to=str(uuid.uuid4())))
    sent(world, envelope, message_id)
    answer = world.answer_to(message_id)
    assert (answer.code, answer.causes) == (ResponseCode.ACCEPTED, ())
    assert delivered(message_id) == 1
    assert reads(world, message_id) == "Mottaget av verksamheten (done)."


def test_8_a_file_type_that_is_not_taken_is_bv_not_supported(world):
    program = File("program.exe", "application/x-msdownload", BytesContent(b"MZ"))
    message_id, envelope = world.sealed(world.message(files=(program,)))
    sent(world, envelope, message_id)
    assert codes(world.answer_to(message_id)) == {("BV", "not-supported")}
    assert delivered(message_id) == 0
    assert reads(world, message_id) == NOT_SUPPORTED


def test_9_an_unknown_function_address_is_bv_not_found_and_told_in_plain_swedish(world):
    message_id = orders.order(world.message(recipient_function="sdk:finns-inte"), actor="Karin")
    world.pump()
    delivery = delivery_of(world.sender.participant.value, message_id)
    assert delivery.state is OutgoingState.REJECTED
    assert [(cause.reason, cause.detail) for cause in delivery.causes] == [("BV", "not-found")]
    ladder = ladder_of(delivery)
    assert ladder.problem == "Funktionen finns inte hos mottagaren."
    assert ladder.advice.startswith("Sök upp mottagaren igen i adressboken")
    assert ladder.rungs[2].status == "failed"
    assert codes(world.answer_to(message_id)) == {("BV", "not-found")}
    assert delivered(message_id) == 0


def test_9_a_closed_mailbox_is_bv_not_found(world):
    world.recipient.mailbox.is_open = False
    world.recipient.mailbox.save()
    message_id, envelope = world.sealed(world.message())
    world.transfer(envelope)
    assert codes(world.answer_to(message_id)) == {("BV", "not-found")}


def test_11_a_reference_to_a_rejected_message_is_bv_not_supported(world):
    rejected, envelope = world.sealed(
        world.message(recipient_function="sdk:finns-inte"), handling="sdk:finns-inte"
    )
    world.transfer(envelope)
    message_id, envelope = world.sealed(world.message(ref_to=rejected))
    sent(world, envelope, message_id)
    assert codes(world.answer_to(message_id)) == {("BV", "not-supported")}
    assert delivered(message_id) == 0
    assert reads(world, message_id) == NOT_SUPPORTED


def test_12_a_broken_signature_is_sig_security_and_nothing_is_decrypted(world):
    message_id, envelope = world.sealed(world.message())
    broken = envelope.replace(b"<ds:DigestValue>", b"<ds:DigestValue>AAAA", 1)
    sent(world, broken, message_id)
    assert codes(world.answer_to(message_id)) == {("SIG", "security")}
    assert delivered(message_id) == 0
    assert reads(world, message_id) == UNPROVEN


def test_12_a_signature_by_a_key_that_is_not_published_is_sig_security(world):
    other = world.federation.issue_organisation_key(uuid.uuid4().hex, "Annan nyckel")
    message_id, envelope = world.sealed(world.message(), signer=other)
    sent(world, envelope, message_id)
    assert codes(world.answer_to(message_id)) == {("SIG", "security")}
    assert reads(world, message_id) == UNPROVEN


def test_12_a_signature_by_a_revoked_key_is_sig_security(world):
    world.federation.revoke("organisations", world.sender.files.signing.certificate)
    message_id, envelope = world.sealed(world.message())
    world.transfer(envelope)
    assert codes(world.answer_to(message_id)) == {("SIG", "security")}


def test_13_a_sender_that_is_not_the_as4_sender_s_is_bv_security(world):
    other = world.party("annan")
    message = world.message(sender=other.participant)
    message_id, envelope = world.sealed(message, sender=other)
    sent(world, envelope, message_id, sender=world.sender)
    assert ("BV", "security") in codes(world.answer_to(message_id))
    assert delivered(message_id) == 0
    assert reads(world, message_id) == UNPROVEN


def test_13_a_sender_id_in_the_message_that_is_not_the_envelope_s_gets_no_receipt(world):
    """Who signed it did not make it, and may have captured it."""
    other = world.party("annan")
    message_id, envelope = world.sealed(world.message(sender=other.participant))
    sent(world, envelope, message_id)
    assert world.answer_to(message_id) is None
    assert IncomingMessage.objects.get(message_id=message_id).cause == "another-sender"
    assert delivered(message_id) == 0


def test_13_a_sender_that_is_not_in_smp_gets_no_receipt(world):
    stranger = world.party("okand", published=False)
    message_id, envelope = world.sealed(world.message(sender=stranger.participant), sender=stranger)
    sent(world, envelope, message_id, sender=stranger)
    assert world.answer_to(message_id) is None
    assert not OutgoingMessage.objects.filter(kind=OutgoingMessage.Kind.RECEIPT).exists()
    assert IncomingMessage.objects.get(message_id=message_id).cause == "sender-unknown"
    assert delivered(message_id) == 0
    OutgoingMessage.objects.update(receipt_due_at=timezone.now())
    assert deadlines.mark_overdue() == 1
    assert reads(world, message_id, stranger) == (
        "Mottaget av verksamheten (current). "
        "Kvittens saknas: mottagarens system har inte bekräftat att verksamheten fått meddelandet. "
        "Det kan ändå ha kommit fram. Är det bråttom, kontakta mottagaren på annat sätt."
    )


def test_14_an_unencrypted_message_is_sig_security(world):
    message_id, envelope = world.sealed(world.message(), encrypted=False)
    sent(world, envelope, message_id)
    assert codes(world.answer_to(message_id)) == {("SIG", "security")}
    assert delivered(message_id) == 0
    assert reads(world, message_id) == UNPROVEN


def test_a_function_that_is_not_the_handling_service_id_is_bv_security(world):
    message_id, envelope = world.sealed(world.message(), handling="sdk:annan-funktion")
    world.transfer(envelope)
    assert codes(world.answer_to(message_id)) == {("BV", "security")}


@pytest.mark.parametrize("payload", [b"not xml at all", b"<a>", b""])
def test_what_cannot_be_read_after_decryption_gets_no_receipt(world, payload):
    """No oracle: a sender is told nothing of what decryption gave (C3.2.4 2.1.2)."""
    message_id, envelope = world.sealed(payload)
    world.transfer(envelope)
    assert world.answer_to(message_id) is None
    assert IncomingMessage.objects.get(message_id=message_id).cause == "not-decryptable"


def test_a_message_within_the_organisation_goes_the_same_way(world):
    from mailbox.models import FunctionMailbox

    other = FunctionMailbox.objects.create(
        participant_id=world.sender.participant.value, address="sdk:granne", name="Grannfunktionen"
    )
    message = world.message(recipient=world.sender.participant, recipient_function=other.address)
    message_id = orders.order(message, actor="Karin")
    world.pump()
    delivery = delivery_of(world.sender.participant.value, message_id)
    assert delivery.state is OutgoingState.ACCEPTED
    assert "TRANSPORT_RECEIPT" in [event.name for event in delivery.events]
    assert MailboxMessage.objects.get(message_id=message_id).conversation.mailbox == other


def test_a_message_that_breaks_the_rules_never_leaves(world):
    with pytest.raises(orders.MessageInvalid) as invalid:
        orders.order(world.message(text="   "), actor="Karin")
    assert {finding.rule for finding in invalid.value.findings} == {"verifyNonEmptyElements"}
    assert not OutgoingMessage.objects.exists()


def test_a_receipt_from_somebody_else_settles_nothing(world, settings):
    message_id = orders.order(world.message(), actor="Karin")
    row = OutgoingMessage.objects.get(message_id=message_id)
    row.recipient = world.party("annan").participant.value
    row.save()
    world.pump()
    row.refresh_from_db()
    assert row.state != "ACCEPTED"


def test_a_missing_receipt_is_told_and_a_late_one_still_settles(world, settings):
    settings.SDK_RECEIPT_DEADLINE_SECONDS = -1
    message_id = orders.order(world.message(), actor="Karin")
    outbound.seal_and_submit(OutgoingMessage.objects.get().pk)
    from transport.access_point.models import OutboundTransfer
    from transport.access_point.outbound import send

    send(OutboundTransfer.objects.get().pk)
    assert deadlines.mark_overdue() == 1
    delivery = delivery_of(world.sender.participant.value, message_id)
    assert delivery.state is OutgoingState.WAITING_FOR_RECEIPT
    assert ladder_of(delivery).problem.startswith("Kvittens saknas")
    world.pump()
    delivery = delivery_of(world.sender.participant.value, message_id)
    assert delivery.state is OutgoingState.ACCEPTED
    assert ladder_of(delivery).problem == ""


def test_when_smp_is_away_the_message_waits_and_says_so(world, settings):
    settings.SDK_HTTP_TIMEOUT_SECONDS = 1
    right = settings.SDK_DNS_SERVERS
    settings.SDK_DNS_SERVERS = ["127.0.0.1:9"]
    message_id = orders.order(world.message(), actor="Karin")
    world.pump()
    row = OutgoingMessage.objects.get(message_id=message_id)
    assert (row.state, row.cause) == ("SCHEDULED", "lookup-unavailable")
    assert row.due_at is not None
    settings.SDK_DNS_SERVERS = right
    OutgoingMessage.objects.update(due_at=row.created_at)
    world.pump()
    assert delivery_of(world.sender.participant.value, message_id).state is OutgoingState.ACCEPTED


def test_a_row_that_a_worker_holds_is_not_taken_by_another(world):
    orders.order(world.message(), actor="Karin")
    key = OutgoingMessage.objects.get().pk
    assert OutgoingMessage.claim(key) is not None
    assert OutgoingMessage.claim(key) is None
    with connection.cursor() as cursor:
        cursor.execute("UPDATE message_service_outgoingmessage SET lease_until = now() - interval '1 second'")
    assert OutgoingMessage.claim(key) is not None
