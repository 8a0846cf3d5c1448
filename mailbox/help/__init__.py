"""Help pages and the accessibility statement."""
