"""The pages on which a mailbox's staffed hours are set."""
