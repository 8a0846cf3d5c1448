"""The copy of the federation's address book, and finding things in it."""
