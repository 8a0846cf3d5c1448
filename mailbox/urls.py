from django.urls import include, path
from mozilla_django_oidc.views import OIDCLogoutView

from .views import compose, conversations, delivering, events, handling, login, notices, records, search
from .views.administering import retention

urlpatterns = [
    path("", conversations.start, name="start"),
    path("brevlada/<int:mailbox_id>/", conversations.mailbox, name="mailbox"),
    path("konversation/<int:conversation_id>/", conversations.conversation, name="conversation"),
    path("konversation/<int:conversation_id>/arkivpaket", records.bundle, name="record-bundle"),
    path("konversation/<int:conversation_id>/utskriven", conversations.printed, name="printed"),
    path("konversation/<int:conversation_id>/undantag", retention.hold, name="retention-hold"),
    path("konversation/<int:conversation_id>/atgard", handling.act, name="act"),
    path("konversation/<int:conversation_id>/angra", handling.undo, name="undo"),
    path("bilaga/<int:attachment_id>", conversations.attachment, name="attachment"),
    path("brevlada/<int:mailbox_id>/skriv", compose.write, name="write"),
    path("meddelande/<int:message_id>/svara", compose.answer, name="answer"),
    path("meddelande/<int:message_id>/skicka-igen", delivering.send_again, name="send-again"),
    path("meddelande/<int:message_id>/avbryt", delivering.cancel, name="cancel"),
    path("utkast/<int:draft_id>/", compose.draft, name="draft"),
    path("utkast/<int:draft_id>/bilagor", compose.upload, name="upload"),
    path("utkast/<int:draft_id>/forhandsvisning", compose.preview, name="preview"),
    path("aviseringar", notices.choices, name="notices"),
    path("aviseringar/nytt", notices.just_now, name="notices-now"),
    path("aviseringar/webblasare", notices.subscribe, name="notices-subscribe"),
    path("aviseringar/webblasare/sluta", notices.unsubscribe, name="notices-unsubscribe"),
    path("avisering.js", notices.worker, name="notices-worker"),
    path("sok", search.search, name="search"),
    path("handelser", events.stream, name="events"),
    path("administration/", include("mailbox.administering_urls")),
    path("logga-in", login.welcome, name="login"),
    path("logga-in/borja", login.Begin.as_view(), name="login-begin"),
    path("logga-in/nekad", login.refused, name="login-refused"),
    path("logga-ut", OIDCLogoutView.as_view(), name="logout"),
    path("oidc/utloggad", login.ended_by_provider, name="login-ended"),
    path("oidc/", include("mozilla_django_oidc.urls")),
]
