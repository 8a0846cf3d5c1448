from django.apps import AppConfig


class AtRestConfig(AppConfig):
    name = "transport.at_rest"

    def ready(self) -> None:
        from . import checks  # noqa: F401 - registers them
