"""The message types that the service takes, each with its rules."""
