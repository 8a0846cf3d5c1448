"""What a process does and checks when it starts."""
