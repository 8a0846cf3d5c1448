"""Writing: drafts, recipients, review, the order to send, canned texts and distribution lists."""
