"""Address of the page, below `administration/driftlage/`."""

from django.urls import path

from . import views

urlpatterns = [path("", views.overview, name="administration-service-status")]
