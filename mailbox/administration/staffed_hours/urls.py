"""Addresses of staffed hours, below `administration/`."""

from django.urls import path

from . import views

urlpatterns = [
    path("bemanning/", views.overview, name="administration-staffed-hours"),
    path("bemanning/<int:mailbox_id>/", views.mailbox_hours, name="administration-mailbox-hours"),
    path(
        "bemanning/organisation/<int:own_organisation_id>/",
        views.default_hours,
        name="administration-default-hours",
    ),
]
