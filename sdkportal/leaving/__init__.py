"""Leaving: one organisation exported to files, imported into another installation, and erased from the first.

docs/leaving.md describes the format and the steps.
"""
