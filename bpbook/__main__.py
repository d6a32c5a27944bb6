"""``python -m bpbook``: the same as the ``bpbook`` command."""

import sys

from bpbook.cli import main

if __name__ == "__main__":
    sys.exit(main())
