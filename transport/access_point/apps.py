from django.apps import AppConfig


class AccessPointConfig(AppConfig):
    name = "transport.access_point"
