"""The start page, the lists of a mailbox, and the page of a conversation: the other rooms together."""
