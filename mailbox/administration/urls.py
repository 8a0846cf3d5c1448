"""The pages of administration, below `administration/`."""

from django.urls import path

from mailbox.statistics import views as statistics_views

from .views import (
    access_log_pages,
    certificates,
    client_routes,
    clients,
    counterparts,
    functions,
    mailboxes,
    people,
    quarantine,
    retention,
    routing,
    transfers,
)

urlpatterns = [
    path("", mailboxes.overview, name="administration"),
    path("brevlada/<int:mailbox_id>/", mailboxes.mailbox, name="administration-mailbox"),
    path("brevlada/<int:mailbox_id>/oppen", mailboxes.set_open, name="administration-open"),
    path("brevlada/<int:mailbox_id>/regel", mailboxes.make_rule, name="administration-make-rule"),
    path("brevlada/<int:mailbox_id>/grans", mailboxes.set_limit, name="administration-limit"),
    path("regel/<int:rule_id>/bekrafta", mailboxes.confirm_rule, name="administration-confirm-rule"),
    path("regel/<int:rule_id>/ta-bort", mailboxes.remove_rule, name="administration-remove-rule"),
    path(
        "medlemskap/<int:membership_id>/avsluta",
        mailboxes.remove_member,
        name="administration-remove-member",
    ),
    path("personer", people.people, name="administration-people"),
    path("person/<int:person_id>/sparr", people.set_locked, name="administration-lock"),
    path("person/<int:person_id>/roll", people.give_role, name="administration-give-role"),
    path("roll/<int:role_id>/ta-bort", people.revoke_role, name="administration-take-role"),
    path("funktioner/", functions.functions, name="administration-functions"),
    path("funktioner/fil", functions.export, name="administration-functions-file"),
    path("funktioner/las-in", functions.take_in, name="administration-functions-import"),
    path("funktioner/skillnad", functions.difference, name="administration-functions-difference"),
    path("funktioner/<int:function_id>/", functions.function, name="administration-function"),
    path("funktioner/<int:function_id>/stang", functions.close, name="administration-function-close"),
    path("gallring/", retention.overview, name="administration-retention"),
    path("gallring/protokoll", retention.protocol_file, name="administration-retention-file"),
    path("gallring/<int:mailbox_id>/<slug:state>", retention.rule, name="administration-retention-rule"),
    path("karantan/", quarantine.overview, name="administration-quarantine"),
    path("karantan/<uuid:file_id>/ta-bort", quarantine.remove, name="administration-quarantine-remove"),
    path("vagval/<int:redirection_id>/svar", routing.answer, name="administration-redirection"),
    path("motparter/", counterparts.overview, name="administration-counterparts"),
    path(
        "motparter/<uuid:arrival_id>/beslut", counterparts.decide, name="administration-counterparts-decide"
    ),
    path("vagval", routing.routing, name="administration-routing"),
    path("statistik", statistics_views.overview, name="administration-statistics"),
    path("statistik/fil", statistics_views.file, name="administration-statistics-file"),
    path("certifikat/", certificates.certificates, name="administration-certificates"),
    path("certifikat/begar", certificates.begin, name="administration-certificate-begin"),
    path("certifikat/las-in", certificates.take, name="administration-certificate-import"),
    path(
        "certifikat/begaran/<uuid:request_id>",
        certificates.request_file,
        name="administration-certificate-request",
    ),
    path("klienter/", clients.clients, name="administration-clients"),
    path("klienter/funktioner", client_routes.routes, name="administration-client-routes"),
    path("klienter/<int:api_client_id>/", clients.client, name="administration-client"),
    path("klienter/<int:api_client_id>/nyckel", clients.give_key, name="administration-client-key"),
    path(
        "klienter/<int:api_client_id>/nyckel/ta-bort",
        clients.revoke_key,
        name="administration-client-key-remove",
    ),
    path(
        "klienter/<int:api_client_id>/forslag",
        clients.answer_proposal,
        name="administration-client-proposal",
    ),
    path("klienter/<int:api_client_id>/lage", clients.set_active, name="administration-client-active"),
    path("klienter/<int:api_client_id>/webbkrok", clients.set_webhook, name="administration-client-webhook"),
    path("logg", mailboxes.log, name="administration-log"),
    path("overforingar", transfers.log, name="transfer-log"),
    path("atkomstlogg", access_log_pages.access_log_page, name="administration-access-log"),
    path("atkomstlogg/fil", access_log_pages.access_log_file, name="administration-access-log-file"),
]
