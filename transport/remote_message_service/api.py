"""The public interface of other message services: all that `mailbox` imports."""

from transport.remote_message_service import arrivals, registration
from transport.remote_message_service.models import RemoteArrival, RemoteService
from transport.remote_message_service.registration import NotRegistered, OwnChange, Tried

__all__ = [
    "NotRegistered",
    "OwnChange",
    "RemoteArrival",
    "RemoteService",
    "Tried",
    "arrivals",
    "registration",
]
