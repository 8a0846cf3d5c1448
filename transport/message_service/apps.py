from django.apps import AppConfig


class MessageServiceConfig(AppConfig):
    name = "transport.message_service"
