"""Ordering and sealing: one transaction for the order, one for the hand-over, and no file left between."""

import io
import uuid
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.files.storage import default_storage
from django.core.management import call_command
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from mailbox.delivery.ladder import ladder_of
from testbed.authorities import Validity, load_certificate, load_key
from tests.world import changed
from transport.access_point.models import OutboundTransfer
from transport.federation import lookup
from transport.message_service import orders, outbound
from transport.message_service.models import OrganisationKey, OutgoingMessage
from transport.message_service.organisations import organisation_keys
from transport.message_service.organisations.organisation_keys import add_key, opening_keys, signing_pair
from transport.message_service.tracking.deliveries import delivery_of
from transport.protocol.identifiers import SDK_MESSAGE
from transport.protocol.sdk_message.message import BytesContent, File
from transport.protocol.xhe.opening import verify_envelope
from transport.storage import blobs
from transport.storage.encryption.texts import is_sealed

pytestmark = pytest.mark.xdist_group("federation-messages")

T = "{urn:riv:infrastructure:messaging:MessageWithAttachments:3}"


def stored(settings) -> list[str]:
    root = Path(settings.MEDIA_ROOT)
    return sorted(path.suffix for path in root.rglob("*") if path.is_file())


def ordered(world, **changes) -> OutgoingMessage:
    message_id = orders.order(world.message(**changes), actor="Karin")
    return OutgoingMessage.objects.get(message_id=message_id)


def test_an_order_is_gone_with_its_transaction(world):
    with transaction.atomic():
        ordered(world)
        transaction.set_rollback(True)
    assert not OutgoingMessage.objects.exists()


def test_an_order_says_who_gave_it(world):
    (event,) = ordered(world).events.all()
    assert (event.name, event.actor, event.cause) == ("SCHEDULED", "Karin", "")


def test_the_same_message_is_not_ordered_twice(world):
    message = world.message()
    orders.order(message, actor="Karin")
    with pytest.raises(IntegrityError), transaction.atomic():
        orders.order(message, actor="Karin")


def test_a_sender_that_is_not_here_cannot_order(world):
    stranger = world.party("annorstades", is_here=False)
    with pytest.raises(orders.SenderUnknown):
        ordered(world, sender=stranger.participant)


def test_a_large_message_is_written_without_a_file_in_the_clear_left_behind(world, settings):
    large = File("a.pdf", "application/pdf", BytesContent(b"%PDF" + bytes(3_000_000)))
    ordered(world, files=(large,))
    assert stored(settings) == [".xml"]
    assert not list(Path(settings.SDK_WORK_DIR).rglob("*"))


def test_sealing_is_signed_by_the_sender_and_encrypted_for_the_recipient(world):
    row = ordered(world)
    outbound.seal_and_submit(row.pk)
    row.refresh_from_db()
    with blobs.open_stored(row.envelope_name, row.envelope_binding) as envelope:
        verified = verify_envelope(envelope)
        out = io.BytesIO()
        verified.write_payload(out, [load_key(world.recipient.files.encryption.key)])
    assert verified.signing_certificate == load_certificate(world.sender.files.signing.certificate)
    assert verified.envelope.message_id == str(row.message_id)
    assert str(row.message_id).encode() in out.getvalue()
    transfer = OutboundTransfer.objects.get()
    assert (transfer.reference, transfer.conversation_id) == (row.pk, str(row.conversation_id))


def test_a_worker_that_lost_its_lease_leaves_neither_state_nor_file(world, settings, monkeypatch):
    row = ordered(world)
    seal = outbound.seal

    def seal_slowly(*arguments, **keywords):
        """Meanwhile the lease runs out, and another worker does it all."""
        monkeypatch.setattr(outbound, "seal", seal)
        OutgoingMessage.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
        outbound.seal_and_submit(row.pk)
        seal(*arguments, **keywords)

    monkeypatch.setattr(outbound, "seal", seal_slowly)
    outbound.seal_and_submit(row.pk)
    row.refresh_from_db()
    assert [event.name for event in row.events.all()] == ["SCHEDULED", "SUBMITTED"]
    assert OutboundTransfer.objects.count() == 1
    assert stored(settings) == [".sealed", ".xml"]
    assert default_storage.exists(row.envelope_name)


def test_what_a_dead_worker_had_sealed_is_cleared_by_the_next(world, settings, monkeypatch):
    row = ordered(world)

    def die(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(outbound.OutgoingMessage, "steps", die)
        with pytest.raises(KeyboardInterrupt):
            outbound.seal_and_submit(row.pk)
    assert stored(settings) == [".sealed", ".xml"]
    OutgoingMessage.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    outbound.seal_and_submit(row.pk)
    row.refresh_from_db()
    assert row.state == "SUBMITTED"
    assert stored(settings) == [".sealed", ".xml"]
    assert default_storage.exists(row.envelope_name)


def test_a_recipient_that_is_unknown_ends_the_message_with_its_cause(world):
    stranger = world.party("okand", is_here=False, published=False)
    row = ordered(world, recipient=stranger.participant)
    world.pump()
    row.refresh_from_db()
    assert (row.state, row.cause) == ("MESSAGE_EXCHANGE_ERROR", "participant-unknown")
    assert [event.name for event in row.events.all()] == ["SCHEDULED", "ERROR", "MESSAGE_EXCHANGE_ERROR"]
    assert not OutboundTransfer.objects.exists()


def test_a_recipient_s_revoked_certificate_is_never_encrypted_for(world):
    world.federation.revoke("organisations", world.recipient.files.encryption.certificate)
    row = ordered(world)
    world.pump()
    row.refresh_from_db()
    assert (row.state, row.cause) == ("MESSAGE_EXCHANGE_ERROR", "recipient-certificate-untrusted")


def test_a_certificate_that_replaced_a_revoked_one_counts_before_the_cache_runs_out(world):
    lookup.service_metadata(world.recipient.participant, SDK_MESSAGE)
    renewed = world.federation.issue_organisation_key(uuid.uuid4().hex, "Förnyad")
    world.federation.revoke("organisations", world.recipient.files.encryption.certificate)
    world.federation.change_participant(
        world.recipient.participant.value, encryption=[str(renewed.certificate)]
    )
    row = ordered(world)
    outbound.seal_and_submit(row.pk)
    row.refresh_from_db()
    assert row.state == "SUBMITTED"
    with blobs.open_stored(row.envelope_name, row.envelope_binding) as envelope:
        assert verify_envelope(envelope).encrypted_for == load_certificate(renewed.certificate)


def test_what_follows_the_rules_no_more_when_it_is_to_be_sealed_does_not_leave_and_its_writer_reads_why(
    world, settings
):
    """It did when it was ordered; the file, or what the rules take, has changed since."""
    row, too_large = ordered(world), ordered(world)
    with blobs.open_stored(row.payload_name, row.payload_binding) as payload:
        broken = changed(payload.read(), f".//{T}confidentiality", "kanske")
    OutgoingMessage.objects.filter(pk=row.pk).update(
        payload_name=blobs.store("outgoing/broken.xml", io.BytesIO(broken), row.payload_binding)
    )
    outbound.seal_and_submit(row.pk)
    settings.SDK_MAX_MESSAGE_BYTES = 100
    outbound.seal_and_submit(too_large.pk)
    assert not OutboundTransfer.objects.exists()
    for one in (row, too_large):
        one.refresh_from_db()
        assert (one.state, one.cause, one.due_at) == ("MESSAGE_EXCHANGE_ERROR", "message-invalid", None)
        shown = ladder_of(delivery_of(world.sender.participant.value, one.message_id))
        assert shown.problem == (
            "Meddelandet följer inte federationens regler. Det lämnade aldrig er organisation."
        )
        assert shown.advice == "Skriv det på nytt. Går det inte då heller, tala om det för er administratör."
        assert (shown.rungs[0].status, shown.may_be_sent_again) == ("failed", False)


def test_without_a_valid_signing_key_nothing_leaves(world):
    OrganisationKey.objects.filter(purpose="signing").update(valid_until=timezone.now() - timedelta(days=1))
    row = ordered(world)
    world.pump()
    row.refresh_from_db()
    assert (row.state, row.cause) == ("MESSAGE_EXCHANGE_ERROR", "no-signing-key")


def test_what_nobody_foresaw_waits_longer_each_time_and_ends_after_a_day(world, caplog):
    row = ordered(world)
    default_storage.delete(row.payload_name)
    pauses = []
    for _ in range(3):
        OutgoingMessage.objects.update(due_at=timezone.now())
        outbound.seal_and_submit(row.pk)
        row.refresh_from_db()
        pauses.append(round((row.due_at - timezone.now()).total_seconds()))
    assert pauses == [30, 60, 120]
    assert (row.state, row.cause) == ("SCHEDULED", "unexpected")
    assert row.payload_name not in caplog.text
    OutgoingMessage.objects.update(due_at=timezone.now(), created_at=timezone.now() - timedelta(hours=25))
    outbound.seal_and_submit(row.pk)
    row.refresh_from_db()
    assert (row.state, row.due_at) == ("MESSAGE_EXCHANGE_ERROR", None)
    # It was said once that it waited, not each time.
    assert [event.name for event in row.events.all()].count("SCHEDULED") == 2


def test_the_newest_published_key_signs_and_every_key_opens(world):
    organisation = world.sender.organisation
    newer = world.federation.issue_organisation_key(uuid.uuid4().hex, "Nyare", validity=Validity(-0.5, 700))
    future = world.federation.issue_organisation_key(uuid.uuid4().hex, "Senare", validity=Validity(1, 700))
    for purpose in OrganisationKey.Purpose:
        for pair in (newer, future):
            add_key(organisation, purpose, load_key(pair.key), load_certificate(pair.certificate))
    assert signing_pair(organisation)[1] == load_certificate(world.sender.files.signing.certificate)
    organisation.keys.update(published_at=timezone.now())
    key, certificate = signing_pair(organisation)
    assert certificate == load_certificate(newer.certificate)
    assert key.public_key() == certificate.public_key()
    assert len(opening_keys(organisation)) == 3


def test_keys_are_encrypted_in_the_database_and_belong_to_one_organisation(world):
    with connection.cursor() as cursor:
        cursor.execute("SELECT private_key FROM message_service_organisationkey")
        stored = [text for (text,) in cursor.fetchall()]
    assert len(stored) == 4
    assert all(is_sealed(text) and "PRIVATE KEY" not in text for text in stored)
    first, second = (opening_keys(party.organisation) for party in (world.sender, world.recipient))
    assert {key.public_key().public_numbers().n for key in first}.isdisjoint(
        key.public_key().public_numbers().n for key in second
    )


def test_commands_add_organisations_and_keys_and_the_same_again_changes_nothing(world, capsys):
    files = world.federation.issue_organisation_key(uuid.uuid4().hex, "Kommando")
    participant = f"0203:kommando-{uuid.uuid4().hex[:8]}.se"
    for _ in range(2):
        call_command("add_organisation", participant, "Kommandot")
        call_command(
            "import_key",
            organisation=participant,
            purpose="signing",
            key=files.key,
            certificate=files.certificate,
        )
    organisation = organisation_keys.Organisation.objects.get(participant_id=participant)
    assert organisation.keys.count() == 1
    assert signing_pair(organisation)[1] == load_certificate(files.certificate)


def test_a_certificate_for_another_key_is_not_imported(world):
    with pytest.raises(organisation_keys.KeyDoesNotFit):
        add_key(
            world.sender.organisation,
            OrganisationKey.Purpose.SIGNING,
            load_key(world.sender.files.signing.key),
            load_certificate(world.sender.files.encryption.certificate),
        )
