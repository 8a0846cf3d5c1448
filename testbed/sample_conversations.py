"""Sends a few sample messages from a node, for real: run in the node's environment.

python -m testbed.sample_conversations 0203:habo.se
"""

import sys

import django


def main(participant_id: str) -> int:
    django.setup()
    from django.core.files.uploadedfile import SimpleUploadedFile

    from addressbook.models import FunctionAddress
    from mailbox import compose
    from mailbox.models import FunctionMailbox

    for letter in _LETTERS.get(participant_id, ()):
        mailbox = FunctionMailbox.objects.get(participant_id=participant_id, address=letter["from"])
        person = mailbox.memberships.select_related("person").order_by("pk")[0].person
        function = FunctionAddress.objects.get(identifier=letter["to"])
        draft = compose.begin(mailbox, person)
        draft = compose.choose_recipient(draft.pk, draft.version, function, person)
        if letter.get("file"):
            compose.attach(draft, SimpleUploadedFile(letter["file"], a_pdf(letter["subject"])))
        compose.send(draft.pk, draft.version, compose.Content.from_form(letter["form"]), person)
        print(f"{participant_id}: sent to {function.organisation.name}")
    return 0


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


_HABO = "sdk:socialtjanst-mottagning:0203:habo.se"
_TRAINING = "sdk:arbetstraning:0203:arbetsformedlingen.se"
_LETTERS: dict = {
    "0203:habo.se": (
        {
            "from": _HABO,
            "to": _TRAINING,
            "file": "planering.pdf",
            "form": {
                "subject": "Planering inför arbetsträning",
                "text": "Hej!\n\nVi vill planera **arbetsträning** tillsammans med er.\n\n"
                "* Möte i vecka 50\n* Underlag bifogas\n\nMed vänlig hälsning",
                "is_confidential": "on",
                "reference_kind": "dnr",
                "reference": "SN 2026/0117",
            },
            "subject": "Planering",
        },
        {
            "from": _HABO,
            "to": "sdk:etablering:0203:arbetsformedlingen.se",
            "form": {"subject": "Fråga om inskrivning", "text": "Hej! Vem är kontaktperson hos er?"},
            "subject": "",
        },
        {
            "from": _HABO,
            "to": "sdk:1:0203:migrationsverket.se",
            "form": {"subject": "Fråga om bosättning", "text": "Hej! Gäller beslutet ännu?"},
            "subject": "",
        },
    ),
    "0203:arbetsformedlingen.se": (
        {
            "from": _TRAINING,
            "to": _HABO,
            "form": {
                "subject": "Återkoppling efter praktik",
                "text": "# Sammanfattning\n\nPraktiken gick bra. Vi hör av oss om *nästa steg*.",
                "is_confidential": "on",
            },
            "subject": "",
        },
    ),
}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
