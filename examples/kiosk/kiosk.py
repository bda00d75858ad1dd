"""A kiosk: one person at a time before the page of `edge-ser serve`.

python examples/kiosk/kiosk.py --port 8080

Open the address that it prints in a browser on this machine. The page asks for consent, and only
then uses the browser's camera and microphone.
"""

from __future__ import annotations

import argparse
import sys

from edge_ser import EdgeRecognizer, EdgeSerError
from edge_ser.serve.options import Limits, ServeOptions
from edge_ser.serve.server import serve


def main() -> int:
    """Run as a command; 2 for what a user can mend."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--port", type=int, default=8080, help="0 takes any that is free")
    try:
        options = ServeOptions(port=parser.parse_args().port, limits=Limits(conversations=1))
        with EdgeRecognizer() as recognizer:
            serve(recognizer, options, tell=lambda address: print(address, flush=True))
    except EdgeSerError as error:
        print(f"kiosk: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
