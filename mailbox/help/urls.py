"""Help and the accessibility statement."""

from django.urls import path

from . import views

urlpatterns = [
    path("hjalp", views.help_page, name="help"),
    path("tillganglighet", views.accessibility, name="accessibility"),
]
