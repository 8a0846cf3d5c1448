"""When somebody is there: a mailbox's staffed hours, and the time limits that are counted in them."""
