#!/usr/bin/env python3
"""Django's entry for operators: `manage.py <command>`. Used by people and by netlab's own installer."""

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "netlab.settings")
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
