"""Rules on arrival: what is done by itself with a message that arrives, as a mailbox's managers have said."""
