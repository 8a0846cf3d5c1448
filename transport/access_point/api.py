"""The public interface of the access point: its transfer log, and the test of a counterpart."""

from transport.access_point import ping
from transport.access_point.models import TransferEvent
from transport.access_point.ping import Step, Tried
from transport.access_point.transfer_log import Question as TransferQuestion
from transport.access_point.transfer_log import as_csv, as_json_lines, last_logged_at
from transport.access_point.transfer_log import events as transfer_events

__all__ = [
    "Step",
    "TransferEvent",
    "TransferQuestion",
    "Tried",
    "as_csv",
    "as_json_lines",
    "last_logged_at",
    "ping",
    "transfer_events",
]
