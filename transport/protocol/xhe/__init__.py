"""The envelope, XHE 1.0 (C3.2.2): values, rules, sealing (encrypt, sign) and opening (verify, decrypt)."""
