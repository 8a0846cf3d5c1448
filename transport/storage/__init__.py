"""Storage: encrypted files, encryption at rest, work files, and the malware scanner."""
