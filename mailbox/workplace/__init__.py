"""The start page, a mailbox's lists and the page of a conversation, which bring the other rooms together."""
