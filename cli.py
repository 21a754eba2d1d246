"""The outreach command from a checkout: `python cli.py --help`. Installed, it is `outreach`."""

from outreach.cli import main

if __name__ == "__main__":
    main()
