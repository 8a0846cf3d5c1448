from django.apps import AppConfig


class MailboxConfig(AppConfig):
    name = "mailbox"

    def ready(self) -> None:
        from transport.certificate_watch import watch

        from . import (
            administration_certificates,
            oidc_requests,
            sessions,  # noqa: F401  its receivers listen from here on
        )

        oidc_requests.bound_requests()
        watch.register_recipients(administration_certificates.to_be_warned)
