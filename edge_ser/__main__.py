"""`python -m edge_ser`: the command line."""

import sys

from edge_ser import _MISSING

if __name__ == "__main__":
    if _MISSING is not None:
        sys.exit(_MISSING)
    from edge_ser.cli.main import main

    main()
