from importlib import import_module

from django.apps import AppConfig


class PortalConfig(AppConfig):
    name = "sdkportal"

    def ready(self) -> None:
        import_module("sdkportal.startup.checks")
        import_module("sdkportal.startup.observation").begin()
