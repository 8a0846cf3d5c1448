from importlib import import_module

from django.apps import AppConfig


class MailboxConfig(AppConfig):
    name = "mailbox"

    def ready(self) -> None:
        """Let the signals of login and logout be heard, and the e-ID library's requests keep our limits."""
        import_module("mailbox.accounts.sessions")
        import_module("mailbox.accounts.oidc_requests").bound_requests()
