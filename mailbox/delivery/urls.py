"""Addresses of sending a message again and of cancelling it."""

from django.urls import path

from . import views

urlpatterns = [
    path("meddelande/<int:message_id>/skicka-igen", views.send_again, name="send-again"),
    path("meddelande/<int:message_id>/avbryt", views.cancel, name="cancel"),
]
