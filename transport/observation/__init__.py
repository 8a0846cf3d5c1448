"""What is observed of the steps of messages: how long they take (`figures`), and where it is switched on a
trace of each message (`traces`). Ids, codes, times and sizes; never content or names of persons.

An observation never fails or delays what is observed.
"""
