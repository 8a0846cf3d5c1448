"""Addresses of registration."""

from django.urls import path

from . import views

urlpatterns = [
    path("konversation/<int:conversation_id>/registrera", views.register, name="register"),
    path("registrering/<int:registration_id>/ratta", views.correct, name="registration-correct"),
    path("registrering/<int:registration_id>/aterta", views.withdraw, name="registration-withdraw"),
    path(
        "administration/brevlada/<int:mailbox_id>/registrering",
        views.mailbox_registration,
        name="registration-mailbox",
    ),
]
