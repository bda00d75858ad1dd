"""`python -m edge_ser`: the command line."""

from edge_ser.cli.main import main

if __name__ == "__main__":
    main()
