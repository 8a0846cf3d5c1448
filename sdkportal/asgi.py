"""The pages by ASGI. Event streams bypass Django's middleware, which would hold a thread and a database
connection for each."""

import os
from typing import Any

from django.core.asgi import get_asgi_application

from sdkportal.startup.hardening import deny_reading_of_memory

deny_reading_of_memory()
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "sdkportal.settings")
_application = get_asgi_application()

from mailbox.live import stream  # noqa: E402 - they need Django set up
from mailbox.live.turns import turns  # noqa: E402
from sdkportal.middleware.body_limits import BodyLimits  # noqa: E402
from sdkportal.middleware.content_types import with_any_content_type  # noqa: E402
from sdkportal.startup.confinement_log import log_confinement  # noqa: E402
from sdkportal.startup.garbage_collection import collect_rarely, freeze_loaded_code  # noqa: E402
from transport.storage import work_files  # noqa: E402

from .postgresql import pool_connections  # noqa: E402

pool_connections()
work_files.keep_temporary_files()
freeze_loaded_code()
collect_rarely()
log_confinement()
_limited_pages = BodyLimits(with_any_content_type(_application))


async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
    if scope["type"] == "http" and scope["path"] == stream.PATH:
        await stream.serve(scope, receive, send)
    else:
        with turns.answering():
            await _limited_pages(scope, receive, send)
