"""Addresses of other message services, below `administration/`."""

from django.urls import path

from . import views

urlpatterns = [
    path("meddelandetjanster/", views.overview, name="administration-message-services"),
    path(
        "meddelandetjanster/<uuid:remote_service_id>/",
        views.message_service,
        name="administration-message-service",
    ),
    path(
        "meddelandetjanster/<uuid:remote_service_id>/funktioner",
        views.set_functions,
        name="administration-message-service-functions",
    ),
    path(
        "meddelandetjanster/<uuid:remote_service_id>/lage",
        views.set_active,
        name="administration-message-service-active",
    ),
    path(
        "meddelandetjanster/<uuid:remote_service_id>/prova",
        views.try_out,
        name="administration-message-service-try",
    ),
    path(
        "meddelandetjanster/<uuid:remote_service_id>/nyckel",
        views.renew_key,
        name="administration-message-service-key",
    ),
    path(
        "meddelandetjanster/<uuid:remote_service_id>/meddelande/<uuid:remote_arrival_id>",
        views.try_again,
        name="administration-message-service-retry",
    ),
]
