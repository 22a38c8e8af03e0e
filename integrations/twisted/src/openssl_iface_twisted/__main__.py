"""``python -m openssl_iface_twisted``: see ``cli/``."""

from __future__ import annotations

import signal
import sys

_MISSING = "This command needs {}, which come with: pip install 'openssl-iface-twisted[cli]'\n"


def main() -> int:
    """Run the command; the console script's entry point.

    :return: the exit status: 0, 1 for a failure, 2 for a wrong argument.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        # Until there is a reactor, Ctrl-C ends the process as it ends others: at once, without a traceback.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
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
