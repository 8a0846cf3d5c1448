"""Who becomes a member of a mailbox: somebody known, somebody by a personal number, or many from a file."""
