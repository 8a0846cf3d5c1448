"""Function mailboxes' conversations: lists, threads, assignment, notes, labels, reminders, presence."""
