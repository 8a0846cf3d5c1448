from django.apps import AppConfig


class MailboxConfig(AppConfig):
    name = "mailbox"

    def ready(self) -> None:
        from . import sessions  # noqa: F401  its receivers listen from here on
