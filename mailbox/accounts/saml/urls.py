"""Addresses of logging in by SAML."""

from django.urls import path

from . import views

urlpatterns = [
    path("saml/borja", views.begin, name="saml-begin"),
    path("saml/svar", views.receive, name="saml-answer"),
    path("saml/klar", views.complete, name="saml-complete"),
    path("saml/uppdrag", views.choose, name="saml-assignment"),
    path("saml/metadata", views.metadata, name="saml-metadata"),
]
