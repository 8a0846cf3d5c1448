"""A job that has been taken over: tries each way out, and tells which were open.

Run by itself (`python hostile.py`) it does the same without any confinement.
"""

import ctypes
import json
import os
import signal
import socket
import subprocess
import sys


def run(source, target):
    asked = json.loads(source.read())
    ways = {
        "has an environment": lambda: os.environ["SDK_SECRET_MARKER"],
        "reads the parent's environment": lambda: _read(f"/proc/{asked['parent']}/environ"),
        "opens the parent's memory": lambda: _read_memory(asked["parent"]),
        "reads the parent's memory": lambda: _copy_memory(asked["parent"], asked["address"]),
        "sees other processes": lambda: os.stat(f"/proc/{asked['parent']}"),
        "signals the parent": lambda: os.kill(asked["parent"], signal.SIGCONT),
        "reaches the broker": lambda: socket.create_connection(("127.0.0.1", asked["port"]), 5).close(),
        "makes a socket": lambda: socket.socket(socket.AF_UNIX).close(),
        "reads stored files": lambda: _read(asked["stored"]),
        "reads the machine's files": lambda: _read("/etc/passwd"),
        "writes where files are stored": lambda: _write(asked["stored"] + ".new"),
        "writes to /tmp": lambda: _write(f"/tmp/hostile-{os.getpid()}"),
        "starts a shell": lambda: subprocess.run(["/bin/sh", "-c", "true"], check=True),
        "starts the interpreter": lambda: subprocess.run([sys.executable, "-c", ""], check=True),
        "forks": _fork,
        "gets new rights": lambda: _succeeds(_LIBC.unshare, 0x10000000),
        "opens devices for writing": lambda: os.close(os.open("/dev/null", os.O_RDWR)),
    }
    target.write(json.dumps([name for name, way in ways.items() if _is_open(way)]).encode())


_LIBC = ctypes.CDLL(None, use_errno=True)


def _is_open(way) -> bool:
    try:
        way()
    except (OSError, KeyError, subprocess.SubprocessError):
        return False
    return True


def _read(path: str) -> None:
    with open(path, "rb") as file:
        assert file.read(1)


def _write(path: str) -> None:
    with open(path, "wb") as file:
        file.write(b"x")
    os.unlink(path)


def _read_memory(process: int) -> None:
    with open(f"/proc/{process}/mem", "rb", buffering=0):
        pass


class _Range(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]


def _copy_memory(process: int, address: int) -> None:
    held = ctypes.create_string_buffer(8)
    here, there = _Range(ctypes.addressof(held), 8), _Range(address, 8)
    if _LIBC.process_vm_readv(process, ctypes.byref(here), 1, ctypes.byref(there), 1, 0) != 8:
        raise OSError(ctypes.get_errno())


def _fork() -> None:
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)


def _succeeds(function, *arguments) -> None:
    if function(*arguments) != 0:
        raise OSError(ctypes.get_errno())


if __name__ == "__main__":
    run(sys.stdin.buffer, sys.stdout.buffer)
