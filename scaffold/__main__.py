"""`python -m scaffold NAME` renders a service of the catalog into this checkout."""

import sys
from pathlib import Path

from scaffold.new_service import CannotRender, render


def main() -> None:
    """Render the service that the command line names."""
    if len(sys.argv) != 2:
        sys.exit("usage: python -m scaffold <name of the catalog>")
    try:
        written = render(sys.argv[1], Path.cwd())
    except CannotRender as error:
        sys.exit(f"error: {error}")
    for path in written:
        sys.stdout.write(f"{path}\n")
    sys.stdout.write("Next: say in logic.py what it does, in the docstring of __init__.py what wakes it.\n")


if __name__ == "__main__":
    main()
