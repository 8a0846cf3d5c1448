"""Live updates: one stream of events for each browser, and what its open pages may see."""
