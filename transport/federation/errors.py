"""Errors of lookups in the federation; `may_pass` tells whether a later attempt may succeed."""


class FederationError(Exception):
    """The base class of this package's errors. `may_pass` tells whether trying again later makes sense."""

    may_pass = False
    code = "federation"


class ParticipantUnknown(FederationError):
    """The participant is not registered in the federation's SML."""

    code = "participant-unknown"


class DocumentTypeNotServed(FederationError):
    """The participant is registered, but does not receive this type of message."""

    code = "document-type-not-served"


class CertificateNotPublished(FederationError):
    """CertPub has no certificate of the kind for the participant."""

    code = "certificate-not-published"


class MetadataUntrusted(FederationError):
    """The metadata is not signed by the federation's SMP, or is about something else than the lookup."""

    code = "metadata-untrusted"


class LookupUnavailable(FederationError):
    """DNS or SMP did not answer, or a revocation service did not."""

    may_pass = True
    code = "lookup-unavailable"
