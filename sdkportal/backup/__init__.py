"""Backup and restoration of a node: its database and its stored files, as one consistent, encrypted set."""
