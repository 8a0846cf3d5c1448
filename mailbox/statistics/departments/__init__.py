"""Figures and costs of departments: sums of each day over a tree of mailboxes."""
