"""Drawing what strangers have sent: in a process of its own that can reach nothing.

`confinement` starts the process and ends it, `syscalls` says what it may ask of the kernel, `child` is the
program that runs in it. `pdf_pictures` and `html_pages` are the two jobs. The last three run in the confined
process and import nothing of the project.
"""

from .confinement import Confinement, Job, Limits, RenderingFailed, render, strongest

__all__ = ["Confinement", "Job", "Limits", "RenderingFailed", "render", "strongest"]
