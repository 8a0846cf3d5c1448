"""Addresses for directory services, and the pages on which administrators let them in."""

from django.urls import path

from . import pages, views

urlpatterns = [
    path("scim/v2/", views.nothing_view, name="scim"),
    path("scim/v2/Users", views.users_view, name="scim-users"),
    path("scim/v2/Users/<str:resource_id>", views.user_view, name="scim-user"),
    path("scim/v2/Groups", views.groups_view, name="scim-groups"),
    path("scim/v2/Groups/<str:resource_id>", views.group_view, name="scim-group"),
    path("scim/v2/ServiceProviderConfig", views.configuration_view, name="scim-configuration"),
    path("scim/v2/ResourceTypes", views.resource_types_view, name="scim-resource-types"),
    path("scim/v2/ResourceTypes/<str:name>", views.resource_types_view, name="scim-resource-type"),
    path("scim/v2/Schemas", views.schemas_view, name="scim-schemas"),
    path("scim/v2/Schemas/<str:name>", views.schemas_view, name="scim-schema"),
    path("scim/<path:path>", views.nothing_view, name="scim-nothing"),
    path("administration/katalogtjanst/", pages.overview, name="administration-directory"),
    path(
        "administration/katalogtjanst/nyckel/<int:token_id>",
        pages.answer_token,
        name="administration-directory-token",
    ),
    path(
        "administration/katalogtjanst/grupp/<int:group_id>/",
        pages.group,
        name="administration-directory-group",
    ),
    path(
        "administration/katalogtjanst/koppling/<int:mapping_id>",
        pages.answer_mapping,
        name="administration-directory-mapping",
    ),
]
