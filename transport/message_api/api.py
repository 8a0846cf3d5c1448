"""The public interface of the API for external message clients: registration, keys, routes, web hooks."""

from transport.message_api.clients import function_patterns, proposals, registration, routing, webhooks
from transport.message_api.clients.proposals import Proposal
from transport.message_api.clients.scopes import Scope
from transport.message_api.models import ApiClient, FunctionRoute

__all__ = [
    "ApiClient",
    "FunctionRoute",
    "Proposal",
    "Scope",
    "function_patterns",
    "proposals",
    "registration",
    "routing",
    "webhooks",
]
