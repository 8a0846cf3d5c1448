"""Record bundles."""

from django.urls import path

from . import views

urlpatterns = [
    path("konversation/<int:conversation_id>/arkivpaket", views.bundle, name="record-bundle"),
]
