"""Tables of administration can be read: what matters first, as wide as the window, with a head that stays."""

import re
from pathlib import Path

import pytest
from django.conf import settings
from django.urls import reverse

from transport.access_point.models import TransferEvent

from .build import log_in, with_role

STYLES = (Path(settings.BASE_DIR) / "static" / "administration" / "administration.css").read_text()


def rule(selector: str) -> str:
    return re.search(rf"^{re.escape(selector)} {{\n(.*?)^}}", STYLES, re.MULTILINE | re.DOTALL)[1]


def test_a_table_uses_the_window_and_keeps_its_head():
    assert "max-width: none" in rule("main:has(> .administration)")
    assert "position: sticky" in rule(".wide thead th")
    assert "max-height" in rule(".wide"), "else the head has nothing to stay at the top of"


@pytest.mark.django_db
def test_why_a_transfer_failed_stands_beside_what_happened(client):
    log_in(client, with_role("administrator"))
    participant = "0203:habo.se"
    TransferEvent.objects.create(kind="FAILED", sender=participant, recipient="0203:af.se", cause="timeout")
    page = client.post(reverse("transfer-log")).content.decode()
    heads = re.findall(r'<th scope="col">([^<]*)</th>', page)
    assert heads[:3] == ["När", "Händelse", "Orsak"]
    assert "<td>timeout</td>" in page
