"""The pages: served by an ASGI server, since every open page holds a stream of events."""

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "sdkportal.settings")
application = get_asgi_application()

from .memory import keep_what_is_loaded  # noqa: E402 - it needs Django set up

keep_what_is_loaded()
