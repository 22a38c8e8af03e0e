"""``python -m openssl_iface_twisted``: see ``cli/``."""

from __future__ import annotations

import sys

_MISSING = "This command needs {}, which come with: pip install 'openssl-iface-twisted[cli]'\n"


def main() -> int:
    """Run the command; the console script's entry point.

    :return: the exit status: 0, 1 for a failure, 2 for a wrong argument.
    """
    try:
        import click  # noqa: F401
        import rich  # noqa: F401
    except ImportError:
        sys.stderr.write(_MISSING.format("click and rich"))
        return 1
    from .cli.commands import run

    return run()


if __name__ == "__main__":
    sys.exit(main())
