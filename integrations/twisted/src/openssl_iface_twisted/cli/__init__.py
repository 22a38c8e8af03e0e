"""The command ``python -m openssl_iface_twisted``: ``demo``, ``serve`` and ``connect``.

``commands`` knows the arguments, and imports what a command needs when it is run, so
that help comes at once and the reactor can be chosen before anything imports one::

    commands
    demo  serve  connect
    run (reactor, signals)   throwaway (certificates)   failures (sentences)
    table (facts)   pipes (threads)   messages (the terminal)
"""

from __future__ import annotations
