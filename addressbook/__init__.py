"""The copy of the federation's address book, the search in it, and the organisation's own register."""
