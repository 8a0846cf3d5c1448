"""A job that does what its input says, without end."""

import os
import time


def run(source, target):
    what = source.read().decode()
    if what == "computing":
        while True:
            pass
    elif what == "waiting":
        time.sleep(600)
    elif what == "remembering":
        held = []
        while True:
            held.append(bytearray(16 * 1024 * 1024))
    elif what == "writing":
        while True:
            target.write(bytes(1024 * 1024))
    else:
        # Leaves a process of its own behind, whose number it writes to the file that the input names.
        child = os.fork()
        if child:
            with open(what, "w") as file:
                file.write(str(child))
        time.sleep(600)
