"""A mailbox's conversations: thread, assignment, reassignment, notes, labels, reminders, presence."""
