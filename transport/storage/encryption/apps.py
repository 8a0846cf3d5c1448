from django.apps import AppConfig


class AtRestConfig(AppConfig):
    name = "transport.storage.encryption"
    # The tables' and migrations' name from before the package was moved.
    label = "at_rest"

    def ready(self) -> None:
        from . import checks  # noqa: F401 - registers them
