"""The AS4 endpoint alone, by WSGI: bodies are read as they come, and no page of the client is served."""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "sdkportal.settings")
os.environ["SDK_URLCONF"] = "sdkportal.urls_access_point"

from django.core.wsgi import get_wsgi_application

from sdkportal.middleware.content_types import with_any_content_type
from sdkportal.startup.hardening import deny_reading_of_memory

deny_reading_of_memory()
application = with_any_content_type(get_wsgi_application())

from sdkportal.postgresql import pool_connections, prepare_statements  # noqa: E402
from sdkportal.startup.garbage_collection import freeze_loaded_code  # noqa: E402 - they need Django set up
from transport.storage import work_files  # noqa: E402

prepare_statements()
pool_connections()
freeze_loaded_code()

# What the process before this one left, if it was killed while it read.
work_files.remove_stale()
work_files.keep_temporary_files()
