"""Encryption of what is stored: texts in rows, payload files, and organisations' private keys.

Each organisation has data keys of its own (`keys`), wrapped by a key that is not in the database: from the
environment or in a PKCS#11 token (`wrapping`). `texts` and `files` seal with them; `fields` are model fields
that do. What must be in the clear for queries (ids, times, names of organisations and functions) stays so.
"""
