"""Telling people by mail or browser push that something waits for them."""
