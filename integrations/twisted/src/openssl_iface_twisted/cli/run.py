"""Running a command under a reactor: which one, signals, and what its log says."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Coroutine
from importlib import import_module
from typing import Any

from . import messages
from .messages import complain, die_by

__all__ = ["REACTORS", "run_in_reactor"]

REACTORS = {
    "select": "twisted.internet.selectreactor",
    "poll": "twisted.internet.pollreactor",
    "epoll": "twisted.internet.epollreactor",
    "asyncio": "twisted.internet.asyncioreactor",
}


def install(name: str | None) -> Any:
    """The reactor called *name*, or Twisted's choice.  Nothing must have imported one before."""
    if name is not None:
        import_module(REACTORS[name]).install()
    from twisted.internet import reactor

    return reactor


def run_in_reactor(name: str | None, main: Callable[[Any], Coroutine[Any, Any, int]]) -> int:
    """Run *main* with a reactor until it returns the exit status.

    What *main* raises comes out of here.  SIGINT, SIGTERM and SIGHUP cancel what it waits for: it may clean
    up and return a status, or else the process ends by that signal.  A second one ends it at once.
    """
    reactor = install(name)
    from twisted.internet.defer import Deferred

    _log()
    outcome: list[Any] = []
    caught: list[int] = []
    running: Any = None

    def begin() -> None:
        nonlocal running
        running = Deferred.fromCoroutine(main(reactor))
        running.addBoth(end)

    def end(result: Any) -> None:
        outcome.append(result)
        reactor.callLater(0, reactor.stop)

    def leave() -> None:
        # Whatever was cancelled may call that by a name of its own.
        if caught and outcome and not isinstance(outcome[0], int):
            die_by(caught[0])

    def interrupt() -> None:
        if running is not None:
            running.cancel()

    def caught_signal(number: int, _frame: Any) -> None:
        signal.signal(number, signal.SIG_DFL)
        caught.append(number)
        # Also wakes the reactor.
        reactor.callFromThread(interrupt)

    numbers = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        # Ignored, it is what nohup(1) has arranged.
        numbers.append(signal.SIGHUP)
    for number in numbers:
        signal.signal(number, caught_signal)
    reactor.callWhenRunning(begin)
    # Before the reactor waits for its threads, in which a host name may still be looked up.
    reactor.addSystemEventTrigger("before", "shutdown", leave)
    reactor.run(installSignalHandlers=False)

    result = outcome[0] if outcome else 1
    if isinstance(result, int):
        return result
    raise result.value


def _log() -> None:
    """Twisted's log: all of it when debugging, else a sentence for what must not happen."""
    from twisted.logger import globalLogBeginner, textFileLogObserver

    observer: Any = textFileLogObserver(sys.stderr) if messages.debug else _mishap
    globalLogBeginner.beginLoggingTo([observer], redirectStandardIO=False, discardBuffer=True)


def _mishap(event: Any) -> None:
    failure = event.get("log_failure")
    if failure is not None:
        complain(
            f"inside the program: {failure.type.__name__}: {failure.getErrorMessage()} (--debug shows more)"
        )
