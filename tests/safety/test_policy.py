"""The Content Security Policy of pages, and of answers that set one of their own."""

import asyncio

import pytest
from django.http import HttpResponse
from django.test import AsyncClient, Client
from django.urls import path

from sdkportal.environment import origins

pytestmark = pytest.mark.django_db


def own(request):
    response = HttpResponse("x")
    response.headers["Content-Security-Policy"] = "default-src 'none'; sandbox"
    return response


urlpatterns = [path("own", own)]


@pytest.mark.urls(__name__)
def test_a_policy_that_a_view_has_set_stands():
    assert Client().get("/own").headers["Content-Security-Policy"] == "default-src 'none'; sandbox"


def test_a_page_of_the_asgi_server_has_the_same_policy():
    async def ask():
        return await AsyncClient().get("/logga-in")

    def directives(response):
        return sorted(response.headers["Content-Security-Policy"].split("; "))

    assert directives(asyncio.run(ask())) == directives(Client().get("/logga-in"))


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://eid.example/end?x=1", ["https://eid.example"]),
        ("https://eid.example:8443/end", ["https://eid.example:8443"]),
        ("/end_session", []),
        ("", []),
    ],
)
def test_a_form_may_lead_to_the_origin_of_the_provider_alone(url, expected):
    assert origins(url) == expected
