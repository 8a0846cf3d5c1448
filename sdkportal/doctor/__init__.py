"""Checks everything that a node needs before it is started and while it runs, and says what to do.

`checks` lists them; `examination` runs them, each with a time limit of its own. The command `doctor` prints
the findings; administrators have them on a page. No finding holds a secret.
"""
