from django.apps import AppConfig


class MessageApiConfig(AppConfig):
    name = "transport.message_api"
