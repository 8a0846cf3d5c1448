from django.apps import AppConfig


class MailboxConfig(AppConfig):
    name = "mailbox"

    def ready(self) -> None:
        from transport.certificate_watch import watch

        from .accounts import oidc_requests
        from .administration import certificates

        oidc_requests.bound_requests()
        watch.register_recipients(certificates.to_be_warned)
