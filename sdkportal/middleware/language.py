"""The language of the pages: Swedish, unless another is chosen in the footer."""

from django.conf import settings
from django.http import HttpRequest
from django.middleware.locale import LocaleMiddleware
from django.utils import translation

_KNOWN = {code for code, _ in settings.LANGUAGES}


class ChosenLanguageMiddleware(LocaleMiddleware):
    """Django's, without the browser's Accept-Language: on a shared computer nobody has chosen it."""

    def process_request(self, request: HttpRequest) -> None:
        chosen = request.COOKIES.get(settings.LANGUAGE_COOKIE_NAME, "")
        translation.activate(chosen if chosen in _KNOWN else settings.LANGUAGE_CODE)
        request.LANGUAGE_CODE = translation.get_language()
