"""Addresses of the page, below `administration/drift/`."""

from django.urls import path

from . import views

urlpatterns = [
    path("", views.overview, name="administration-doctor"),
    path("kontrollera", views.begin, name="administration-doctor-begin"),
]
