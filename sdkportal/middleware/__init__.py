"""Middleware: limits of request bodies, the connection to the database, the language."""
