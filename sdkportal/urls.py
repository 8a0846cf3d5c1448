"""The pages of the message client and of administration."""

from django.urls import include, path
from django.views.i18n import set_language

from .monitoring import health, metrics

urlpatterns = [
    path("halsa/", health.liveness, name="health"),
    path("halsa/klar", health.readiness, name="ready"),
    path("halsa/matt", metrics.metrics, name="metrics"),
    path("", include("transport.message_api.urls")),
    path("sprak", set_language, name="set_language"),
    path("administration/drift/", include("sdkportal.doctor.urls")),
    path("administration/driftlage/", include("sdkportal.service_status.urls")),
    path("", include("mailbox.urls")),
    path("", include("addressbook.urls")),
]

handler500 = "sdkportal.middleware.connections.server_error_or_unavailable"
