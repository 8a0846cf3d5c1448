"""Addresses of protected conversations."""

from django.urls import path

from . import views

urlpatterns = [
    path("konversation/<int:conversation_id>/skydd", views.protection, name="protection"),
    path("skyddad/<int:protected_id>/oppna", views.open_protected, name="protected-open"),
]
