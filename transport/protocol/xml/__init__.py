"""XML: read safely, canonicalised, and its structure judged."""
