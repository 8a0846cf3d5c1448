"""The pages of deliveries and of case systems; and the API of case systems."""

from django.urls import path

from .views import administration, api, deliveries

urlpatterns = [
    path("konversation/<int:conversation_id>/arendesystem", deliveries.order, name="case-delivery-order"),
    path("brevlada/<int:mailbox_id>/overlamningar", deliveries.mailbox_deliveries, name="case-deliveries"),
    path("overlamning/<uuid:delivery_id>/forsok", deliveries.retry, name="case-delivery-retry"),
    path("overlamning/<uuid:delivery_id>/aterta", deliveries.withdraw, name="case-delivery-withdraw"),
    path(
        "administration/brevlada/<int:mailbox_id>/arendesystem",
        administration.mailbox_case_systems,
        name="case-systems-mailbox",
    ),
    path("administration/arendesystem", administration.overview, name="administration-case-systems"),
    path(
        "administration/arendesystem/<int:case_system_id>",
        administration.case_system,
        name="administration-case-system",
    ),
    path(
        "administration/arendesystem/<int:case_system_id>/hemligheter",
        administration.renew_secrets,
        name="administration-case-system-secrets",
    ),
    path(
        "administration/arendesystem/<int:sftp_system_id>/vardnyckel",
        administration.set_host_key,
        name="administration-case-system-host-key",
    ),
    path(
        "administration/arendesystem/<int:sftp_system_id>/prova",
        administration.try_out,
        name="administration-case-system-try",
    ),
    path(
        "administration/arendesystem/<int:case_system_id>/bekrafta",
        administration.confirm,
        name="administration-case-system-confirm",
    ),
    path(
        "administration/arendesystem/<int:case_system_id>/av",
        administration.set_enabled,
        name="administration-case-system-enabled",
    ),
    path("v1/case-deliveries", api.waiting, name="case-delivery-api"),
    path("v1/case-deliveries/<uuid:delivery_id>", api.description, name="case-delivery-api-description"),
    path("v1/case-deliveries/<uuid:delivery_id>/package", api.package, name="case-delivery-api-package"),
    path("v1/case-deliveries/<uuid:delivery_id>/receipt", api.receipt, name="case-delivery-api-receipt"),
]
