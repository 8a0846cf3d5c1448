"""Sends messages from a node, as a member of a mailbox would: run in the node's environment.

    python -m testbed.send_message PARTICIPANT MAILBOX RECIPIENT SUBJECT [--count N] [--wait SECONDS]

prints the id of each message, one unless `--count` says more; with `--wait`, then also its outcome:
`delivered`, or the cause code of the failure.
"""

import sys
import time
from argparse import ArgumentParser
from collections.abc import Mapping
from contextlib import suppress
from uuid import UUID

import django


def send(participant_id: str, address: str, recipient: str, form: Mapping[str, str], file: str | None) -> str:
    """Write a draft with what the page's form would hold, and send it; returns the message id."""
    from django.core.files.uploadedfile import SimpleUploadedFile

    from addressbook.models import FunctionAddress
    from mailbox.drafts import composer, draft_files, recipients, send_order
    from mailbox.drafts.forms import DraftForm
    from mailbox.models import FunctionMailbox

    mailbox = FunctionMailbox.objects.get(participant_id=participant_id, address=address)
    person = mailbox.memberships.select_related("person").order_by("pk")[0].person
    function = FunctionAddress.objects.get(identifier=recipient)
    # Beginning reuses an empty draft of the person's: two processes that begin at once may get the same one.
    draft = None
    while draft is None:
        new = composer.begin(mailbox, person)
        with suppress(composer.DraftChanged, composer.DraftGone):
            draft = recipients.choose_recipient(new.pk, new.version, function, person)
    if file:
        draft_files.attach(draft, SimpleUploadedFile(file, a_pdf(form["subject"])))
    written = composer.save(draft.pk, draft.version, DraftForm.content_of(form), person)
    files = frozenset(written.attachments.values_list("pk", flat=True))
    reviewed = send_order.Reviewed(written.version, files, is_confirmed=True)
    send_order.order(written.pk, reviewed, person, seconds=0)
    send_order.send_if_due(written.pk)
    return str(send_order.sent_from(written.pk).get().message_id)


def a_pdf(title: str) -> bytes:
    """A small valid PDF of one page with a line of text."""
    text = title.encode("latin-1", "replace").replace(b"\\", b"").replace(b"(", b"").replace(b")", b"")
    stream = b"BT /F1 18 Tf 72 760 Td (" + text + b") Tj ET"
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>>>",
        b"<</Length %d>>stream\n%s\nendstream" % (len(stream), stream),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>",
    ]
    out = bytearray(b"%PDF-1.4\n")
    offsets = []
    for number, content in enumerate(objects, 1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    for offset in offsets:
        out += b"%010d 00000 n \n" % offset
    out += b"trailer<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, start)
    return bytes(out)


def outcome_of(participant_id: str, message_id: str, seconds: float) -> str:
    """Wait until a message is settled, so many seconds at most: `delivered`, or a cause code."""
    from transport.message_service.states import OutgoingState
    from transport.message_service.tracking.deliveries import delivery_of

    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        delivery = delivery_of(participant_id, UUID(message_id))
        if delivery is not None and delivery.state is OutgoingState.ACCEPTED:
            return "delivered"
        if delivery is not None and delivery.state in (
            OutgoingState.REJECTED,
            OutgoingState.MESSAGE_EXCHANGE_ERROR,
        ):
            return delivery.cause or delivery.state.value
        time.sleep(0.2)
    return "not settled in time"


def main(arguments: list[str]) -> int:
    """Send the message that the arguments describe; returns the exit code."""
    parser = ArgumentParser(prog="testbed.send_message")
    parser.add_argument("participant")
    parser.add_argument("address")
    parser.add_argument("recipient")
    parser.add_argument("subject")
    parser.add_argument("--count", type=int, default=1, metavar="N")
    parser.add_argument("--wait", type=float, metavar="SECONDS")
    options = parser.parse_args(arguments)
    django.setup()
    form = {"subject": options.subject, "text": "Hej"}
    for _ in range(options.count):
        message_id = send(options.participant, options.address, options.recipient, form, "bilaga.pdf")
        print(message_id, flush=True)
        if options.wait is not None:
            print(outcome_of(options.participant, message_id, options.wait))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
