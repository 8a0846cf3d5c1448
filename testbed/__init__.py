"""A whole federation on one machine: CAs, DNS, SMP with CertPub, address book, e-ID, and two nodes.

For demos, tests and suppliers. It never runs in production, and nothing that does imports it.
"""
