"""The start page, mailboxes and conversations."""

from django.urls import path

from . import views

urlpatterns = [
    path("", views.start, name="start"),
    path("brevlada/<int:mailbox_id>/", views.mailbox, name="mailbox"),
    path("konversation/<int:conversation_id>/", views.conversation, name="conversation"),
    path("konversation/<int:conversation_id>/utskriven", views.printed, name="printed"),
]
