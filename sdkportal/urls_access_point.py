"""What other access points reach: the AS4 endpoint."""

from django.urls import include, path

from . import health

urlpatterns = [
    path("halsa/", health.liveness, name="health"),
    path("", include("transport.access_point.urls")),
]

handler500 = "sdkportal.connections.error_answer"
