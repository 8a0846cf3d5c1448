"""Logging in with e-ID, sessions, people, and the rules that give membership."""
