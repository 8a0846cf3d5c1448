"""What other access points reach: the AS4 endpoint."""

from django.urls import include, path

from .monitoring import health

urlpatterns = [
    path("halsa/", health.liveness, name="health"),
    path("", include("transport.access_point.urls")),
]

handler500 = "sdkportal.middleware.connections.server_error_or_unavailable"
