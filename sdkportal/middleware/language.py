"""Which language the pages are in: Swedish, until somebody chooses another by the switch in the footer."""

from django.conf import settings
from django.http import HttpRequest
from django.middleware.locale import LocaleMiddleware
from django.utils import translation

_KNOWN = {code for code, _ in settings.LANGUAGES}


class ChosenLanguageMiddleware(LocaleMiddleware):
    """As Django's, but what the browser is set to decides nothing: a shared computer's setting is
    nobody's choice."""

    def process_request(self, request: HttpRequest) -> None:
        chosen = request.COOKIES.get(settings.LANGUAGE_COOKIE_NAME, "")
        translation.activate(chosen if chosen in _KNOWN else settings.LANGUAGE_CODE)
        request.LANGUAGE_CODE = translation.get_language()
