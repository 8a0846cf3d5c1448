"""The pages by WSGI, for `runserver` and tools; production uses `sdkportal.asgi`."""

import os

from django.core.wsgi import get_wsgi_application

from sdkportal.middleware.content_types import with_any_content_type
from sdkportal.startup.hardening import deny_reading_of_memory

deny_reading_of_memory()
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "sdkportal.settings")
application = with_any_content_type(get_wsgi_application())

from sdkportal.startup.confinement_log import log_confinement  # noqa: E402
from sdkportal.startup.garbage_collection import freeze_loaded_code  # noqa: E402
from transport.storage import work_files  # noqa: E402 - they need Django set up

work_files.keep_temporary_files()
freeze_loaded_code()
log_confinement()
