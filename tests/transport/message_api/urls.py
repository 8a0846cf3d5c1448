"""Everything that a node answers to, in one: the AS4 endpoint beside the pages and the API."""

from django.urls import include, path

urlpatterns = [
    path("", include("transport.access_point.urls")),
    path("", include("sdkportal.urls")),
]
