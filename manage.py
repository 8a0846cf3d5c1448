#!/usr/bin/env python
import os
import sys

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "sdkportal.settings")
    if sys.argv[1:2] == ["sdkcheck"]:
        # Checks files and serves nobody: it needs no configuration.
        os.environ.setdefault("SDK_DEMO", "1")
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)
