"""The pages by WSGI, for `runserver` and tools; production uses `sdkportal.asgi`."""

import os

from django.core.wsgi import get_wsgi_application

from .hardening import deny_reading_of_memory

deny_reading_of_memory()
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "sdkportal.settings")
application = get_wsgi_application()

from transport import workspace  # noqa: E402 - they need Django set up

from .hardening import log_confinement  # noqa: E402
from .memory import keep_what_is_loaded  # noqa: E402

workspace.keep_temporary_files()
keep_what_is_loaded()
log_confinement()
