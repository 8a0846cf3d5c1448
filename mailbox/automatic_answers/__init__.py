"""Automatic answers to what arrives outside a mailbox's staffed hours, once in a conversation, and never to
an automatic answer (RFC 3834, as far as SDK's messages allow)."""
