from django.apps import AppConfig


class PortalConfig(AppConfig):
    name = "sdkportal"

    def ready(self) -> None:
        from .startup import checks  # noqa: F401 - registers them
