"""Addresses of drafts, and of what a mailbox writes with."""

from django.urls import path

from .views import canned_texts, distribution_lists, drafts, mailings, ownership, review

urlpatterns = [
    path("brevlada/<int:mailbox_id>/skriv", drafts.write, name="write"),
    path("skriv-till/<int:function_id>", drafts.write_to, name="write-to"),
    path("meddelande/<int:message_id>/svara", drafts.answer, name="answer"),
    path("meddelande/<int:message_id>/vidarebefordra", drafts.forward, name="forward"),
    path("utkast/<int:draft_id>/", drafts.draft, name="draft"),
    path("utkast/<int:draft_id>/granska", review.check, name="check"),
    path("utkast/<int:draft_id>/angra", review.undo, name="undo-sending"),
    path("utkast/<int:draft_id>/bilagor", drafts.upload, name="upload"),
    path("utkast/<int:draft_id>/forhandsvisning", drafts.preview, name="preview"),
    path("utkast/<int:draft_id>/ta-over", ownership.take_over, name="take-over-draft"),
    path("utkast/<int:draft_id>/eget", ownership.write_own, name="write-own"),
    path("utkast/<int:draft_id>/stang", ownership.leave, name="leave-draft"),
    path("konversation/<int:conversation_id>/utkast", ownership.in_conversation, name="conversation-drafts"),
    path("utkast/<int:draft_id>/lage", ownership.state, name="draft-state"),
    path("utkast/<int:draft_id>/version/<int:version_id>", ownership.restore, name="restore-draft"),
    path("brevlada/<int:mailbox_id>/skriva", canned_texts.writing, name="writing"),
    path("brevlada/<int:mailbox_id>/utskick", mailings.mailings, name="mailings"),
    path("utskick/<int:mailing_id>/", mailings.mailing, name="mailing"),
    path("text/<int:text_id>/", canned_texts.canned_text, name="canned-text"),
    path("sandlista/<int:list_id>/", distribution_lists.distribution_list, name="distribution-list"),
]
