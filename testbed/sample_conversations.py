"""Sends a few sample messages from a node to another: run in the node's environment.

python -m testbed.sample_conversations 0203:habo.se
"""

import sys
from typing import Any

import django


def main(participant_id: str) -> int:
    """Send the sample messages of an organisation; returns the exit code."""
    django.setup()
    from .send_message import send

    for message in _MESSAGES.get(participant_id, ()):
        send(participant_id, message["from"], message["to"], message["form"], message.get("file"))
        print(f"{participant_id}: sent to {message['to']}")
    return 0


_HABO = "sdk:socialtjanst-mottagning:0203:habo.se"
_TRAINING = "sdk:arbetstraning:0203:arbetsformedlingen.se"
_MESSAGES: dict[str, tuple[dict[str, Any], ...]] = {
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
        },
        {
            "from": _HABO,
            "to": "sdk:etablering:0203:arbetsformedlingen.se",
            "form": {"subject": "Fråga om inskrivning", "text": "Hej! Vem är kontaktperson hos er?"},
        },
        {
            "from": _HABO,
            "to": "sdk:1:0203:migrationsverket.se",
            "form": {"subject": "Fråga om bosättning", "text": "Hej! Gäller beslutet ännu?"},
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
        },
    ),
}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
