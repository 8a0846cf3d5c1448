"""Logging in by SAML 2.0, beside OpenID Connect: the request, the provider's answer, and who it is about.

pysaml2 and xmlsec1 verify and decrypt; what stands around them here refuses what they would let pass. There
is no single logout, and no login that a provider begins.
"""
