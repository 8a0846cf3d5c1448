"""Sums of each day, which statistics by department are made of: counting, and keeping what was counted."""
