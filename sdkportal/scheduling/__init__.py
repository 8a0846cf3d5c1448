"""What beat starts, how often, and which beat does it."""
