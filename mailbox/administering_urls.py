"""The pages of administration, below `administration/`."""

from django.urls import path

from .views.administering import (
    certificates,
    functions,
    log,
    mailboxes,
    people,
    quarantine,
    retention,
    statistics,
    transfers,
)

urlpatterns = [
    path("", mailboxes.overview, name="administration"),
    path("brevlada/<int:mailbox_id>/", mailboxes.mailbox, name="administration-mailbox"),
    path("brevlada/<int:mailbox_id>/oppen", mailboxes.set_open, name="administration-open"),
    path("brevlada/<int:mailbox_id>/regel", mailboxes.make_rule, name="administration-make-rule"),
    path("brevlada/<int:mailbox_id>/grans", mailboxes.set_limit, name="administration-limit"),
    path("regel/<int:rule_id>/ta-bort", mailboxes.remove_rule, name="administration-remove-rule"),
    path(
        "medlemskap/<int:membership_id>/avsluta",
        mailboxes.remove_member,
        name="administration-remove-member",
    ),
    path("personer", people.people, name="administration-people"),
    path("person/<int:person_id>/sparr", people.set_locked, name="administration-lock"),
    path("person/<int:person_id>/roll", people.give_role, name="administration-give-role"),
    path("roll/<int:role_id>/ta-bort", people.take_role, name="administration-take-role"),
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
    path("statistik", statistics.overview, name="administration-statistics"),
    path("statistik/fil", statistics.file, name="administration-statistics-file"),
    path("certifikat/", certificates.certificates, name="administration-certificates"),
    path("certifikat/begar", certificates.begin, name="administration-certificate-begin"),
    path("certifikat/las-in", certificates.take, name="administration-certificate-import"),
    path(
        "certifikat/begaran/<uuid:request_id>",
        certificates.request_file,
        name="administration-certificate-request",
    ),
    path("logg", mailboxes.log, name="administration-log"),
    path("overforingar", transfers.log, name="transfer-log"),
    path("atkomstlogg", log.access_log_page, name="administration-access-log"),
    path("atkomstlogg/fil", log.access_log_file, name="administration-access-log-file"),
]
