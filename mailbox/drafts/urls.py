"""Writing."""

from django.urls import path

from .views import drafts, review, writing_aids

urlpatterns = [
    path("brevlada/<int:mailbox_id>/skriv", drafts.write, name="write"),
    path("meddelande/<int:message_id>/svara", drafts.answer, name="answer"),
    path("meddelande/<int:message_id>/vidarebefordra", drafts.forward, name="forward"),
    path("utkast/<int:draft_id>/", drafts.draft, name="draft"),
    path("utkast/<int:draft_id>/granska", review.check, name="check"),
    path("utkast/<int:draft_id>/angra", review.undo, name="undo-sending"),
    path("utkast/<int:draft_id>/bilagor", drafts.upload, name="upload"),
    path("utkast/<int:draft_id>/forhandsvisning", drafts.preview, name="preview"),
    path("brevlada/<int:mailbox_id>/skriva", writing_aids.writing, name="writing"),
    path("brevlada/<int:mailbox_id>/utskick", writing_aids.mailings, name="mailings"),
    path("utskick/<int:mailing_id>/", writing_aids.mailing, name="mailing"),
    path("text/<int:text_id>/", writing_aids.canned_text, name="canned-text"),
    path("sandlista/<int:list_id>/", writing_aids.distribution_list, name="distribution-list"),
]
