"""The pages of the message client: each room has its own addresses."""

from django.urls import include, path

from mailbox.administration.views import identity, retention
from mailbox.statistics import observed

urlpatterns = [
    path("", include("mailbox.workplace.urls")),
    path("", include("mailbox.conversations.urls")),
    path("", include("mailbox.drafts.urls")),
    path("", include("mailbox.drafts.approval_requests.urls")),
    path("", include("mailbox.delivery.urls")),
    path("", include("mailbox.arrival_rules.urls")),
    path("", include("mailbox.attachments.urls")),
    path("", include("mailbox.archive.urls")),
    path("", include("mailbox.registration.urls")),
    path("", include("mailbox.case_systems.urls")),
    path("", include("mailbox.protection.urls")),
    path("", include("mailbox.provisioning.urls")),
    path("", include("mailbox.search.urls")),
    path("", include("mailbox.notifications.urls")),
    path("", include("mailbox.help.urls")),
    path("", include("mailbox.live.urls")),
    path("", include("mailbox.accounts.urls")),
    path("konversation/<int:conversation_id>/undantag", retention.hold, name="retention-hold"),
    path("siffror", observed.page, name="observed-figures"),
    path("logotyp/<int:identity_id>", identity.logo, name="organisation-logo"),
    path("administration/", include("mailbox.administration.urls")),
    path("administration/", include("mailbox.administration.message_services.urls")),
    path("administration/", include("mailbox.administration.staffed_hours.urls")),
    path("administration/", include("mailbox.automatic_answers.urls")),
    path("administration/", include("mailbox.statistics.urls")),
]
