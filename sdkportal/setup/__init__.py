"""`sdkportal setup`: from a bare machine to a node with settings, organisations, keys and first people.

`answers` are what somebody is asked or a file says, `environment_file` writes the settings, `node` makes what
is in the database, `remaining` says what is left. It may be run again: what is there stays as it is.
"""
