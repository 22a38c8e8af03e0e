"""Draws what is drawn in docs/what-waits-for-what.md, from the code's own tables and from real connections.

    python tools/what_waits.py --write    put it into the page
    python tools/what_waits.py --check    fail if the page says something else

The table of the wants is made of ``values.Want`` (whose comments say what each means) and of the engine's
``WANTS``.  The picture is not invented: each step in it is done with two connections in memory, and what
``wants``, ``ended`` and ``close_sent`` say before and after is what is drawn.
"""

from __future__ import annotations

import argparse
import ast
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from openssl_iface import SSL, values
from openssl_iface.errors import Error
from openssl_iface.impl_cffi import failures
from openssl_iface.impl_cffi._native import lib
from openssl_iface.testing.pki import PKI
from openssl_iface.values import EVENT_SIZE, Ending, Want

PAGE = Path(__file__).resolve().parent.parent / "docs" / "what-waits-for-what.md"
BEGIN, END = "<!-- drawn: {} -->\n", "<!-- end -->\n"

# Which want stands for which answer of SSL_get_error.
ASKED = {
    Want.READ: "SSL_ERROR_WANT_READ",
    Want.WRITE: "SSL_ERROR_WANT_WRITE",
    Want.CERTIFICATE: "SSL_ERROR_WANT_X509_LOOKUP",
    Want.CLIENT_HELLO: "SSL_ERROR_WANT_CLIENT_HELLO_CB",
    Want.VERIFICATION: "SSL_ERROR_WANT_RETRY_VERIFY",
}


def comments(cls: type) -> dict[str, str]:
    """What the comments before each member of an enum in values.py say."""
    text = Path(values.__file__).read_text(encoding="utf-8")
    lines = text.splitlines()
    found: dict[str, str] = {}
    for node in ast.parse(text).body:
        if isinstance(node, ast.ClassDef) and node.name == cls.__name__:
            for item in node.body:
                if isinstance(item, ast.Assign) and isinstance(item.targets[0], ast.Name):
                    at, said = item.lineno - 2, []
                    while lines[at].strip().startswith("#:"):
                        said.append(lines[at].strip()[2:].strip())
                        at -= 1
                    found[item.targets[0].id] = " ".join(reversed(said))
    return found


def wants() -> Iterator[str]:
    """The table of the wants."""
    said = comments(Want)
    yield "| `Want` | it waits for | libssl said | the manual's face raises |"
    yield "|---|---|---|---|"
    for want in Want:
        if not want:
            continue
        asked = ASKED.get(want)
        number = getattr(lib, asked) if asked else 0
        raises = failures.WANTS[number].__name__ if number in failures.WANTS else None
        if asked == "SSL_ERROR_WANT_RETRY_VERIFY":
            raises = "WantVerificationError"  # an OpenSSL without it has no number for it
        meaning = said[str(want.name)].replace("``", "`")
        yield (
            f"| `{want.name}` | {meaning} | {f'`{asked}`' if asked else 'none'} "
            f"| {f'`{raises}`' if raises else 'none'} |"
        )


def endings() -> Iterator[str]:
    """The table of the endings."""
    said = comments(Ending)
    yield "| `Ending` | what it means | the engine sets it |"
    yield "|---|---|---|"
    for ending in Ending:
        by = "yes" if ending in failures.ENDINGS else "no: who keeps the time does"
        yield f"| `{ending.name}` | {said[ending.name]} | {by} |"


# -- the picture ------------------------------------------------------------------------


class Pair:
    """A client, which is looked at, and a server, with the bytes between them in our hands."""

    def __init__(self, contexts: tuple[Any, Any]) -> None:
        self.client, self.server = (SSL.Connection(context, None) for context in contexts)
        self.client.set_connect_state()
        self.server.set_accept_state()
        self.failed = self.closing = False
        self.steps: list[tuple[str, str, str]] = []

    def state(self) -> str:
        one = self.client
        if self.failed:
            phase = "failed"
        elif not one.handshake_done:
            phase = "shaking hands"
        else:
            theirs = {None: "open", Ending.CLEAN: "closed", Ending.TRUNCATED: "truncated"}[one.ended]
            ours = "closed" if one.close_sent else "closing" if self.closing else "open"
            phase = {"open open": "open", "closed closed": "closed"}.get(
                f"{ours} {theirs}", f"ours {ours}, theirs {theirs}"
            )
        names = [str(want.name) for want in Want if want and one.wants & want]
        return f"{phase} [{' '.join(names) or 'nothing'}]"

    def step(self, what: str, call: Callable[..., Any], *arguments: Any) -> Pair:
        before = self.state()
        self.closing |= what == "event_close"
        try:
            call(*arguments)
        except Error:
            self.failed = self.client.ended is Ending.ABORTED or not self.client.handshake_done
        self.steps.append((before, what, self.state()))
        return self

    def take(self) -> bytes:
        return b"".join(iter(self.client.event_output, b""))

    def flight(self, size: int = 1 << 30) -> bytes:
        """What the server has to say to what the client has sent."""
        sent = self.take()
        self.server.event_feed(sent) if sent else self.server.event_proceed()
        return b"".join(iter(self.server.event_output, b""))[:size]

    def open(self) -> Pair:
        self.step("begin: event_proceed", self.client.event_proceed)
        answers: list[bytes] = []
        self.step("output is taken", lambda: answers.append(self.flight()))
        self.step("the peer's flight arrives", self.client.event_feed, answers[0])
        self.step("output is taken", lambda: answers.append(self.flight()))
        return self

    def say(self, data: bytes) -> bytes:
        self.server.event_write(data)
        return b"".join(iter(self.server.event_output, b""))

    def goodbye(self) -> bytes:
        self.server.event_close()
        return b"".join(iter(self.server.event_output, b""))


def scenes(make: Callable[[], Pair]) -> Iterator[Pair]:
    pair = make().open()
    pair.step("event_write", pair.client.event_write, b"x")
    pair.step("output is taken", pair.take)
    pair.step("a little arrives", pair.client.event_feed, pair.say(b"y"))
    much = pair.say(bytes(EVENT_SIZE + 1))
    pair.step("more arrives than one event gives", pair.client.event_feed, much)
    pair.step("event_proceed", pair.client.event_proceed)
    pair.step("event_close", pair.client.event_close)
    pair.step("output is taken", pair.take)
    pair.step("close_notify arrives", pair.client.event_feed, pair.goodbye())
    yield pair

    pair = make().open()
    pair.step("close_notify arrives", pair.client.event_feed, pair.goodbye())
    pair.step("event_write", pair.client.event_write, b"x")
    pair.step("output is taken", pair.take)
    pair.step("event_close", pair.client.event_close)
    pair.step("output is taken", pair.take)
    yield pair

    pair = make().open()
    pair.step("the transport ends", pair.client.event_feed, b"")
    yield pair

    pair = make().open()
    spoilt = bytearray(pair.say(b"y"))
    spoilt[-1] ^= 1
    pair.step("a spoilt record arrives", pair.client.event_feed, bytes(spoilt))
    pair.step("output is taken", pair.take)
    yield pair

    pair = make()
    pair.client.event_proceed()
    pair.take()
    pair.step("the transport ends", pair.client.event_feed, b"")
    yield pair

    pair = make()
    pair.client.event_proceed()
    pair.flight()
    pair.step("what is not TLS arrives", pair.client.event_feed, b"HTTP/1.1 400 Bad Request\r\n")
    yield pair

    answers: list[bool] = []

    def choose(connection: Any) -> None:
        if not answers:
            answers.append(True)
            raise SSL.WantX509LookupError

    pair = make()
    pair.client.get_context().set_cert_cb(choose)
    pair.client = SSL.Connection(pair.client.get_context(), None)
    pair.client.set_connect_state()
    pair.server.set_verify(SSL.VERIFY_PEER)
    pair.client.event_proceed()
    pair.step("a callback has no answer yet", pair.client.event_feed, pair.flight())
    pair.step("it has: event_proceed", pair.client.event_proceed)
    yield pair


def picture() -> Iterator[str]:
    """Each state, and what leads out of it."""
    pki = PKI("localhost")

    def make() -> Pair:
        contexts: tuple[Any, Any] = SSL.Context(SSL.TLS_METHOD), SSL.Context(SSL.TLS_METHOD)
        client, server = contexts
        server.use_certificate_chain([pki.good.certificate, *pki.good.chain])
        server.use_privatekey(pki.good.key)
        server.set_num_tickets(0)
        for context in (client, server):
            context.set_min_proto_version(SSL.TLS1_3_VERSION)
        return Pair(contexts)

    found: dict[str, dict[str, str]] = {}
    for pair in scenes(make):
        for before, what, after in pair.steps:
            found.setdefault(before, {}).setdefault(what, after)
    yield "```text"
    for state, ways in found.items():
        yield state
        for number, (what, after) in enumerate(ways.items()):
            corner = "└" if number == len(ways) - 1 else "├"
            yield f"  {corner}─ {what:<36}→ {after}"
        yield ""
    yield "```"


DRAWN: dict[str, Callable[[], Iterator[str]]] = {"wants": wants, "picture": picture, "endings": endings}


def drawn(page: str) -> str:
    """The page, with what is drawn in it drawn anew."""
    for name, draw in DRAWN.items():
        begin = BEGIN.format(name)
        head, found, rest = page.partition(begin)
        if not found:
            raise SystemExit(f"{PAGE.name} has no place for {name!r}: {begin.strip()}")
        _, _, tail = rest.partition(END)
        page = head + begin + "\n".join(draw()).replace("\n\n```", "\n```") + "\n" + END + tail
    return page


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help="put it into the page")
    parser.add_argument("--check", action="store_true", help="fail if the page says something else")
    options = parser.parse_args()
    before = PAGE.read_text(encoding="utf-8")
    after = drawn(before)
    if options.write:
        PAGE.write_text(after, encoding="utf-8")
    elif options.check and before != after:
        print(f"{PAGE.name} is not what the code says: run python tools/what_waits.py --write")
        return 1
    elif not options.check:
        print(after)
    return 0


if __name__ == "__main__":
    sys.exit(main())
