"""What every request goes through: limits of its body, its connection to the database, its language."""
