"""Lists the external message clients and their functions."""

from typing import Any

from django.core.management.base import BaseCommand

from transport.message_api.models import ApiClient, FunctionRoute


class Command(BaseCommand):
    help = "Lists API clients with their functions, scopes and keys, and functions that are routed to them."

    def handle(self, *args: Any, **options: Any) -> None:
        for client in ApiClient.objects.select_related("organisation"):
            self.stdout.write(
                f"{client.organisation} {client} {'active' if client.is_active else 'disabled'}"
                f" functions={','.join(client.auth_ids) or '-'}"
                f" scopes={','.join(scope.rpartition(':')[2] for scope in client.scopes) or '-'}"
                f" keys={','.join(key['kid'] for key in client.keys) or '-'}"
                f" webhook={client.webhook_url or '-'}"
                f" used={client.last_used_at.isoformat(timespec='minutes') if client.last_used_at else '-'}"
            )
        for route in FunctionRoute.objects.select_related("organisation"):
            self.stdout.write(f"{route.organisation} {route.function_address} -> {route.to}")
