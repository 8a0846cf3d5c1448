"""Addresses of rules on arrival."""

from django.urls import path

from . import views

urlpatterns = [
    path("brevlada/<int:mailbox_id>/regler", views.rules, name="arrival-rules"),
    path("brevlada/<int:mailbox_id>/regler/ny", views.new_rule, name="arrival-rule-new"),
    path("ankomstregel/<int:arrival_rule_id>/", views.rule, name="arrival-rule"),
]
