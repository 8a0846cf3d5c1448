"""Django's PostgreSQL backend, for statements whose values the server binds."""
