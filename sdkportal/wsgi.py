"""The pages by WSGI, for `runserver` and tools; production uses `sdkportal.asgi`."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "sdkportal.settings")
application = get_wsgi_application()

from .memory import keep_what_is_loaded  # noqa: E402 - it needs Django set up

keep_what_is_loaded()
