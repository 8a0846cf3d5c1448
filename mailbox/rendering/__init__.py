"""Rendering files from outside, in a confined process that can reach nothing.

`confinement` starts and ends the process, `syscalls` defines which system calls it may make, `child` is the
program that runs in it. `service` does so for other machines and containers, which ask it by `remote`.
`pdf_pictures` and `html_pages` are the two jobs. They, `probe` and `child` run in the confined process and
import nothing of the project.
"""

from .confinement import Confinement, Job, Limits, RenderingFailed, strongest
from .remote import render

__all__ = ["Confinement", "Job", "Limits", "RenderingFailed", "render", "strongest"]
