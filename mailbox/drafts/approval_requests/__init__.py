"""Asking for approval of a draft, and answering: the pages and what they do."""
