"""The command line: parses, calls, prints. Every command is a thin cover of the Python API."""

import time

STARTED = time.perf_counter()  # before anything heavy is imported; `train` tells the seconds
