from mozilla_django_oidc.auth import OIDCAuthenticationBackend


class EidBackend(OIDCAuthenticationBackend):
    pass
