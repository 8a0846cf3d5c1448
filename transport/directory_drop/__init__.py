"""An access point of another operator, met through a directory: docs/directory-drop.md has the format.

What leaves is put into `out/`; what became of it is read from `told/`, and what arrives from `in/`. The
other side, a gateway of the access point's operator, moves files between there and its access point.
Nothing here speaks AS4.
"""
