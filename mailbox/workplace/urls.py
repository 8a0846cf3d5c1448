"""Addresses of the start page, of mailboxes, of views across them and of conversations."""

from django.urls import path

from mailbox.conversations.views.bulk import act_on_many

from . import views

urlpatterns = [
    path("", views.start, name="start"),
    path("brevlada/<int:mailbox_id>/", views.mailbox, name="mailbox"),
    path(
        "brevlada/<int:mailbox_id>/flera",
        act_on_many,
        {"keys_of_view": views.keys_of_view},
        name="act-on-many",
    ),
    path("vyer/", views.all_mailboxes, name="all-mailboxes"),
    path("vyer/flera", act_on_many, {"keys_of_view": views.keys_of_view}, name="act-on-many-across"),
    path("vyer/spara", views.save_view, name="saved-view-save"),
    path("vyer/<int:view_id>", views.change_view, name="saved-view"),
    path("konversation/<int:conversation_id>/", views.conversation, name="conversation"),
    path("konversation/<int:conversation_id>/sedd", views.seen, name="seen"),
    path("konversation/<int:conversation_id>/utskriven", views.printed, name="printed"),
]
