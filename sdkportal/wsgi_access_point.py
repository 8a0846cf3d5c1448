"""The AS4 endpoint alone, by WSGI: bodies are read as they come, and no page of the client is served."""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "sdkportal.settings")
os.environ["SDK_URLCONF"] = "sdkportal.urls_access_point"

from django.core.wsgi import get_wsgi_application

application = get_wsgi_application()
