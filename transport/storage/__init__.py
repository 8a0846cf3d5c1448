"""What is stored: sealed files, encryption at rest, work files, and the malware scanner."""
