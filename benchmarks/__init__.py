"""What things cost, measured side by side: run by hand and by `make bench`, never by the tests."""
