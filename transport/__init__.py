"""Everything between a message client and the federation: formats, message service, access point."""
