"""The stream of live updates."""

from django.urls import path

from . import stream

urlpatterns = [
    path("handelser", stream.stream, name="events"),
]
