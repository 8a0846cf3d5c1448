from django.apps import AppConfig


class FederationConfig(AppConfig):
    name = "transport.federation"
