"""The pages and the access point in one process, which production never has."""

from django.urls import include, path

urlpatterns = [
    path("", include("sdkportal.urls_access_point")),
    path("", include("sdkportal.urls")),
]
