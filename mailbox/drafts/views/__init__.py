"""The pages on which messages are written."""
