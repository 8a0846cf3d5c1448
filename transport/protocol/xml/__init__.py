"""XML: reading safely, canonicalising, and checking structure."""
