"""`python -m explorer`: see `explorer.cli`."""

import os
import sys

from explorer.cli import main

try:
    status = main()
except BrokenPipeError:  # the reader, such as `head`, has seen enough
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    status = 0
sys.exit(status)
