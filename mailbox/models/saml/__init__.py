"""What is kept of logins by SAML 2.0: metadata, answers that have been used, and choices of assignment."""

from .login import PendingSamlLogin, RememberedAssignment, SamlMetadata, UsedAssertion

__all__ = ["PendingSamlLogin", "RememberedAssignment", "SamlMetadata", "UsedAssertion"]
