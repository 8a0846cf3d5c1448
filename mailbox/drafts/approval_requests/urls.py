"""Addresses of approval before sending."""

from django.urls import path

from . import mailbox_views, views

urlpatterns = [
    path("godkanna/", views.approvals, name="approvals"),
    path("utkast/<int:draft_id>/be-om-godkannande", views.ask, name="approval-ask"),
    path("utkast/<int:asked_draft_id>/godkann", views.approval, name="approval"),
    path("utkast/<int:asked_draft_id>/ge-tillbaka", views.give_back, name="approval-return"),
    path("utkast/<int:asked_draft_id>/ta-tillbaka-begaran", views.withdraw, name="approval-withdraw"),
    path(
        "administration/brevlada/<int:mailbox_id>/godkannande",
        mailbox_views.mailbox_approval,
        name="approval-mailbox",
    ),
    path("utkast/<int:asked_draft_id>/bilaga/<int:draft_file_id>", views.file, name="draft-file"),
]
