"""The federation's formats and cryptography, free of Django.

Values in, values out: no settings, no database, no clock and no network that the caller does not
hand in. Deciding, retrying, storing and logging belong to the packages above this one.
"""
