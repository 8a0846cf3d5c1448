from django.urls import include, path
from mozilla_django_oidc.views import OIDCLogoutView

from .views import administration, compose, conversations, events, login, records, search

urlpatterns = [
    path("", conversations.start, name="start"),
    path("brevlada/<int:mailbox_id>/", conversations.mailbox, name="mailbox"),
    path("konversation/<int:conversation_id>/", conversations.conversation, name="conversation"),
    path("konversation/<int:conversation_id>/arkivpaket", records.bundle, name="record-bundle"),
    path("bilaga/<int:attachment_id>", conversations.attachment, name="attachment"),
    path("brevlada/<int:mailbox_id>/skriv", compose.write, name="write"),
    path("meddelande/<int:message_id>/svara", compose.answer, name="answer"),
    path("utkast/<int:draft_id>/", compose.draft, name="draft"),
    path("utkast/<int:draft_id>/bilagor", compose.upload, name="upload"),
    path("utkast/<int:draft_id>/forhandsvisning", compose.preview, name="preview"),
    path("sok", search.search, name="search"),
    path("handelser", events.stream, name="events"),
    path("administration/", administration.overview, name="administration"),
    path("administration/brevlada/<int:mailbox_id>/", administration.mailbox, name="administration-mailbox"),
    path(
        "administration/brevlada/<int:mailbox_id>/oppen", administration.set_open, name="administration-open"
    ),
    path(
        "administration/medlemskap/<int:membership_id>/avsluta",
        administration.remove_member,
        name="administration-remove-member",
    ),
    path(
        "administration/person/<int:person_id>/sparr", administration.set_locked, name="administration-lock"
    ),
    path("administration/logg", administration.log, name="administration-log"),
    path("logga-in", login.welcome, name="login"),
    path("logga-in/borja", login.Begin.as_view(), name="login-begin"),
    path("logga-in/nekad", login.refused, name="login-refused"),
    path("logga-ut", OIDCLogoutView.as_view(), name="logout"),
    path("oidc/utloggad", login.ended_by_provider, name="login-ended"),
    path("oidc/", include("mozilla_django_oidc.urls")),
]
