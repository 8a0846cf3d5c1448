"""Notifications by mail or browser push that something waits for a person."""
