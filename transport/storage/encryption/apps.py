from django.apps import AppConfig
from django.core import checks

from .checks import a_wrapping_key_is_configured


class AtRestConfig(AppConfig):
    name = "transport.storage.encryption"
    # The tables' and migrations' name from before the package was moved.
    label = "at_rest"

    def ready(self) -> None:
        checks.register(a_wrapping_key_is_configured)
