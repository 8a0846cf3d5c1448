"""Addresses of the figures, below `administration/`."""

from django.urls import path

from . import views

urlpatterns = [
    path("statistik", views.overview, name="administration-statistics"),
    path("statistik/fil", views.file, name="administration-statistics-file"),
]
