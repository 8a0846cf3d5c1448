"""Approval before sending: when it is demanded, what is approved, and how requests for it end.

Asking and answering are in `mailbox.drafts.approval_requests`.
"""
