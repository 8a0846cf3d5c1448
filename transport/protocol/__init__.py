"""The federation's formats and cryptography, free of Django.

Values in, values out: no settings, no database, no clock and no network that the caller does not
hand in. What decides, retries, stores or logs belongs to the packages above this one.
"""
