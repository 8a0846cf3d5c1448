from django.urls import include, path
from mozilla_django_oidc.views import OIDCLogoutView

from mailbox.administration.views import retention
from mailbox.conversations.views import assignment, notes_and_labels, reassignment
from mailbox.drafts.views import drafts, review, writing_aids

from .accounts import views as accounts_views
from .archive import views as archive_views
from .attachments import views as attachments_views
from .delivery import views as delivery_views
from .help import views as help_views
from .live import stream
from .notifications import views as notifications_views
from .search import views as search_views
from .workplace import views as workplace_views

urlpatterns = [
    path("", workplace_views.start, name="start"),
    path("brevlada/<int:mailbox_id>/", workplace_views.mailbox, name="mailbox"),
    path("konversation/<int:conversation_id>/", workplace_views.conversation, name="conversation"),
    path("konversation/<int:conversation_id>/arkivpaket", archive_views.bundle, name="record-bundle"),
    path("konversation/<int:conversation_id>/utskriven", workplace_views.printed, name="printed"),
    path("konversation/<int:conversation_id>/undantag", retention.hold, name="retention-hold"),
    path("konversation/<int:conversation_id>/atgard", assignment.act, name="act"),
    path("konversation/<int:conversation_id>/angra", assignment.undo, name="undo"),
    path("konversation/<int:conversation_id>/overlamna", reassignment.hand_over, name="hand-over"),
    path("konversation/<int:conversation_id>/anteckning", notes_and_labels.note, name="note"),
    path("konversation/<int:conversation_id>/etiketter", notes_and_labels.label, name="label"),
    path("konversation/<int:conversation_id>/narvaro", notes_and_labels.presence, name="presence"),
    path("overlamning/<int:hand_over_id>/svar", reassignment.answer, name="hand-over-answer"),
    path("anteckning/<int:note_id>/ta-bort", notes_and_labels.remove_note, name="note-remove"),
    path("brevlada/<int:mailbox_id>/etiketter", notes_and_labels.labels, name="labels"),
    path("etikett/<int:label_id>", notes_and_labels.change_label, name="label-change"),
    path("etikett/<int:label_id>/ta-bort", notes_and_labels.remove_label, name="label-remove"),
    path("bilaga/<int:attachment_id>", attachments_views.attachment, name="attachment"),
    path("bilaga/<int:attachment_id>/visa", attachments_views.show, name="attachment-show"),
    path("meddelande/<int:message_id>/bilagor", attachments_views.every, name="attachments"),
    path("meddelande/<int:message_id>/bevis", attachments_views.evidence, name="evidence"),
    path("meddelande/<int:message_id>/text", attachments_views.text, name="message-text"),
    path(
        "meddelande/<int:message_id>/bevis/<slug:kind>",
        attachments_views.evidence_piece,
        name="evidence-piece",
    ),
    path("brevlada/<int:mailbox_id>/skriv", drafts.write, name="write"),
    path("meddelande/<int:message_id>/svara", drafts.answer, name="answer"),
    path("meddelande/<int:message_id>/skicka-igen", delivery_views.send_again, name="send-again"),
    path("meddelande/<int:message_id>/avbryt", delivery_views.cancel, name="cancel"),
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
    path("aviseringar", notifications_views.choices, name="notices"),
    path("aviseringar/nytt", notifications_views.just_now, name="notices-now"),
    path("aviseringar/webblasare", notifications_views.subscribe, name="notices-subscribe"),
    path("aviseringar/webblasare/sluta", notifications_views.unsubscribe, name="notices-unsubscribe"),
    path("avisering.js", notifications_views.worker, name="notices-worker"),
    path("hjalp", help_views.help_page, name="help"),
    path("tillganglighet", help_views.accessibility, name="accessibility"),
    path("sok", search_views.search, name="search"),
    path("handelser", stream.stream, name="events"),
    path("administration/", include("mailbox.administration.urls")),
    path("logga-in", accounts_views.welcome, name="login"),
    path("logga-in/borja", accounts_views.Begin.as_view(), name="login-begin"),
    path("logga-in/nekad", accounts_views.refused, name="login-refused"),
    path("logga-ut", OIDCLogoutView.as_view(), name="logout"),
    path("oidc/utloggad", accounts_views.ended_by_provider, name="login-ended"),
    path("oidc/", include("mozilla_django_oidc.urls")),
]
