"""Addresses of notifications."""

from django.urls import path

from . import views

urlpatterns = [
    path("aviseringar", views.choices, name="notices"),
    path("aviseringar/nytt", views.recent, name="notices-now"),
    path("aviseringar/webblasare", views.subscribe, name="notices-subscribe"),
    path("aviseringar/webblasare/sluta", views.unsubscribe, name="notices-unsubscribe"),
    path("avisering.js", views.worker, name="notices-worker"),
]
