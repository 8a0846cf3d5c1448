"""System checks (`manage.py check`) of encryption at rest."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning
from django.core.exceptions import ImproperlyConfigured

from .configured_keys import wrapping_key
from .errors import AtRestError


def a_wrapping_key_is_configured(**_: Any) -> list[CheckMessage]:
    try:
        wrapping_key()
    except (AtRestError, ImproperlyConfigured) as error:
        return [Error(str(error), id="at_rest.E001")]
    if settings.SDK_ACCEPT_PLAIN:
        return [
            Warning(
                "SDK_ACCEPT_PLAIN is set: what is stored in the clear is taken as it is.",
                hint="Run `manage.py seal_at_rest`, then take the setting away.",
                id="at_rest.W001",
            )
        ]
    return []
