"""Directory services tell by SCIM 2.0 (RFC 7643, 7644) who works in an organisation, and in which groups."""
