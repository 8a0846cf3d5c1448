"""The message client: people, function mailboxes, conversations, drafts, and what a caseworker sees."""
