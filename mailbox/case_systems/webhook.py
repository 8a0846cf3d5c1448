"""A case system that is told by a web hook, and fetches packages through the API (docs/connectors.md).

The web hook carries the delivery's id and nothing else. Without an address the case system asks by itself.
"""

import json
from typing import Final
from uuid import UUID

from django.conf import settings
from django.utils import timezone

from mailbox.models import CaseDelivery, CaseSystem
from transport.message_api.api import webhooks
from transport.outgoing_http import AddressRefused, NoAnswer, Origin, TooLong, request

from .connector import CannotHandOver, Package

EVENT: Final = "case_delivery.ready"
# Of the answer only the status is used.
_MAX_ANSWER_BYTES: Final = 64 * 1024


class WebhookConnector:
    """A signed notice (Standard Webhooks) that a package can be fetched."""

    def hand_over(self, system: CaseSystem, package: Package) -> None:
        """Tell the case system, if it has a web hook; it is enough that it answers 2xx."""
        if not system.webhook_url:
            return
        now = timezone.now()
        notice = {
            "type": EVENT,
            "timestamp": now.isoformat(),
            "data": {"delivery_id": str(package.delivery_id)},
        }
        content = json.dumps(notice).encode()
        signed = webhooks.headers_for(system.webhook_secret, package.delivery_id, now, content)
        try:
            webhooks.check_address(system.webhook_url)
            answer = request(
                "POST",
                system.webhook_url,
                origin=Origin.OTHERS,
                seconds=settings.SDK_HTTP_TIMEOUT_SECONDS,
                max_bytes=_MAX_ANSWER_BYTES,
                body=content,
                headers={"Content-Type": "application/json", **signed},
            )
        except (webhooks.AddressNotAllowed, AddressRefused):
            raise CannotHandOver(CaseDelivery.Cause.ADDRESS) from None
        except TooLong:
            raise CannotHandOver(CaseDelivery.Cause.REFUSED_NOTICE) from None
        except NoAnswer:
            raise CannotHandOver(CaseDelivery.Cause.NO_ANSWER) from None
        if not answer.is_ok:
            raise CannotHandOver(CaseDelivery.Cause.REFUSED_NOTICE)

    def remove(self, system: CaseSystem, delivery_id: UUID) -> None:
        """Nothing is given away: what has ended cannot be fetched."""
