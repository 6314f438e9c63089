"""`python -m explorer`: see `explorer.commands.main`."""

import os
import sys

from explorer.commands.main import main

try:
    status = main()
except BrokenPipeError:  # the reader, such as `head`, has seen enough
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    status = 0
sys.exit(status)
