"""The pages of deliveries to case systems, of setting case systems up, and the API of case systems."""
