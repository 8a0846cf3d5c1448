from django.apps import AppConfig


class CertificateWatchConfig(AppConfig):
    name = "transport.certificate_watch"
