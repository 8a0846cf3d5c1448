"""What a process does when it starts, and the system checks of a node."""
