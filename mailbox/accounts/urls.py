"""Addresses of logging in and out."""

from django.urls import include, path
from mozilla_django_oidc.views import OIDCLogoutView

from . import views

urlpatterns = [
    path("logga-in", views.welcome, name="login"),
    path("logga-in/borja", views.Begin.as_view(), name="login-begin"),
    path("logga-in/nekad", views.refused, name="login-refused"),
    path("logga-ut", OIDCLogoutView.as_view(), name="logout"),
    path("oidc/utloggad", views.ended_by_provider, name="login-ended"),
    path("oidc/", include("mozilla_django_oidc.urls")),
    path("", include("mailbox.accounts.saml.urls")),
]
