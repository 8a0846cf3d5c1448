"""Figures of mailboxes over a period, as tables, a chart and a file."""
