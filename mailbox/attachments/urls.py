"""Attachments, texts as files, and evidence."""

from django.urls import path

from . import views

urlpatterns = [
    path("bilaga/<int:attachment_id>", views.attachment, name="attachment"),
    path("bilaga/<int:attachment_id>/visa", views.show, name="attachment-show"),
    path("meddelande/<int:message_id>/bilagor", views.all_attachments, name="attachments"),
    path("meddelande/<int:message_id>/bevis", views.evidence, name="evidence"),
    path("meddelande/<int:message_id>/text", views.text, name="message-text"),
    path(
        "meddelande/<int:message_id>/bevis/<slug:kind>",
        views.evidence_piece,
        name="evidence-piece",
    ),
]
