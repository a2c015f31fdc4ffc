"""``python -m mksgn`` is ``mksgn``."""

from __future__ import annotations

import sys

from mksgn.commands.dispatch import main

if __name__ == "__main__":
    sys.exit(main())
