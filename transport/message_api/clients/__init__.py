"""External message clients: registration, keys, access tokens, scopes, and the functions that they serve."""
