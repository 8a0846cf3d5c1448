"""Texts as people read them: Markdown, plain text from files, and the beginning of what is long."""
