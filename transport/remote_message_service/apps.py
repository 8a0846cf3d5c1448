from django.apps import AppConfig


class RemoteMessageServiceConfig(AppConfig):
    name = "transport.remote_message_service"
