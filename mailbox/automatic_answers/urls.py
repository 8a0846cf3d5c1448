"""Addresses of automatic answers, below `administration/`."""

from django.urls import path

from . import views

urlpatterns = [
    path("bemanning/automatiska-svar/", views.overview, name="administration-automatic-answers"),
    path(
        "bemanning/<int:mailbox_id>/automatiskt-svar/",
        views.mailbox_answer,
        name="administration-automatic-answer",
    ),
]
