"""The API's addresses. Below `/v1` stands what the contract has below its server's address."""

from django.urls import path

from . import views

urlpatterns = [
    path("v1/sdk/messages", views.Messages.as_view(), name="message-api-messages"),
    path("v1/sdk/messages/<str:message_id>", views.Message.as_view(), name="message-api-message"),
    path("v1/token", views.token, name="message-api-token"),
    path("v1/openapi.json", views.openapi, name="message-api-openapi"),
    path("v1/", views.reading, name="message-api-reading"),
]
