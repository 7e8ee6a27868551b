"""`python -m dms` is `dms`."""

import sys

from dms.cli import main

if __name__ == "__main__":
    sys.exit(main())
