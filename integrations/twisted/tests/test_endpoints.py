"""Endpoints, their string forms, and what context factories take and refuse."""

from __future__ import annotations

import inspect
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from transport_matrix import Once, Recorder, TransportCase, matrix, pki
from twisted.internet.address import IPv6Address
from twisted.internet.endpoints import (
    TCP4ClientEndpoint,
    TCP4ServerEndpoint,
    clientFromString,
    quoteStringArgument,
    serverFromString,
)
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import (
    IHostnameResolver,
    IOpenSSLClientConnectionCreator,
    IOpenSSLContextFactory,
    IOpenSSLServerConnectionCreator,
    IStreamClientEndpoint,
    IStreamServerEndpoint,
)
from zope.interface import implementer
from zope.interface.verify import verifyObject

from openssl_iface import errors
from openssl_iface.registry import get_backend
from openssl_iface.testing.pki import Authority
from openssl_iface.values import Method, ProtocolVersion, Want
from openssl_iface_twisted import (
    ClientContextFactory,
    DefaultOpenSSLContextFactory,
    ServerContextFactory,
    TLSClientEndpoint,
    TLSServerEndpoint,
    VerifyingClientContextFactory,
    clientContextFactory,
    connectSSL,
    endpoints,
    strings,
    wrapClientTLS,
    wrapServerTLS,
)
from openssl_iface_twisted.contexts import check_factory, connection_for


def quoted(name: str) -> str:
    return quoteStringArgument(str(pki() / name))


class Endpoints(TransportCase):
    def through(self, listening: Any, connecting: Any) -> tuple[Recorder, Recorder]:
        """Run an echo between the endpoints that these make of the reactor (and the port)."""
        server = Recorder().on("data", lambda s: s.transport.write(bytes(s.data)))
        client = Recorder().on("made", lambda c: c.transport.write(b"echo"))
        client.on("data", lambda c: c.transport.loseConnection())
        endpoint = listening(self.reactor)
        verifyObject(IStreamServerEndpoint, endpoint)

        def listens(port: Any) -> Any:
            endpoint = connecting(self.reactor, port.getHost().port)
            verifyObject(IStreamClientEndpoint, endpoint)
            return endpoint.connect(Once(client)).addCallback(lambda made: self.assertIs(made, client))

        problems: list[Any] = []
        endpoint.listen(Once(server)).addCallback(listens).addErrback(
            lambda problem: (problems.append(problem), self.reactor.stop())
        )
        self.runUntilLost(server, client)
        if problems:
            problems[0].raiseException()
        return server, client

    def test_strings(self) -> None:
        """A server and a client from their descriptions; the client verifies."""
        _, client = self.through(
            lambda reactor: serverFromString(
                reactor,
                f"ossl:0:privateKey={quoted('server.key')}:certKey={quoted('server.pem')}:interface=127.0.0.1"
                ":alpn=h2,echo:backlog=5",
            ),
            lambda reactor, port: clientFromString(
                reactor, f"ossl:host=localhost:port={port}:cafile={quoted('ca.pem')}:alpn=echo:timeout=5"
            ),
        )
        self.assertEqual(client.data, b"echo")
        self.assertEqual(client.transport.negotiatedProtocol, b"echo")
        self.assertIs(client.reason.type, ConnectionDone)

    def test_positional_strings(self) -> None:
        """An address to connect to, and another name to verify; one file with key and certificate."""
        server, client = self.through(
            lambda reactor: serverFromString(
                reactor,
                f"ossl:port=0:privateKey={quoted('server-both.pem')}:interface=127.0.0.1"
                f":sslmethod=TLSv1_2_METHOD:extraCertChain={quoted('ca.pem')}:clientCA={quoted('ca.pem')}",
            ),
            lambda reactor, port: clientFromString(
                reactor,
                f"ossl:127.0.0.1:{port}:hostname=localhost:caCertsDir={quoteStringArgument(str(pki()))}"
                f":certificate={quoted('client-both.pem')}:bindAddress=127.0.0.2",
            ),
        )
        self.assertEqual(client.data, b"echo")
        self.assertEqual(server.transport.getPeer().host, "127.0.0.2")
        self.assertEqual(client.transport.getHandle().get_protocol_version_name(), "TLSv1.2")
        self.assertEqual(len(client.transport.getHandle().get_peer_cert_chain()), 2)

    def test_client_string_verifies(self) -> None:
        """Without our authority, the certificate is refused: nothing turns that off."""
        _, client = self.through(
            lambda reactor: TLSServerEndpoint(reactor, 0, self.serverContext(), interface="127.0.0.1"),
            lambda reactor, port: clientFromString(reactor, f"ossl:host=localhost:port={port}"),
        )
        self.assertIs(client.reason.type, errors.CertificateVerificationError)

    def test_client_verifies_the_name(self) -> None:
        _, client = self.through(
            lambda reactor: TLSServerEndpoint(reactor, 0, self.serverContext(), interface="127.0.0.1"),
            lambda reactor, port: clientFromString(
                reactor, f"ossl:127.0.0.1:{port}:hostname=example.org:cafile={quoted('ca.pem')}"
            ),
        )
        self.assertIs(client.reason.type, errors.CertificateVerificationError)

    def test_a_client_verifies_unless_it_is_told_otherwise(self) -> None:
        _, client = self.through(
            lambda reactor: TLSServerEndpoint(reactor, 0, self.serverContext(), interface="127.0.0.1"),
            lambda reactor, port: TLSClientEndpoint(reactor, "localhost", port),
        )
        self.assertIs(client.reason.type, errors.CertificateVerificationError)

    def test_timeouts(self) -> None:
        seen, attempts = [], []

        def connect(*arguments: Any, **options: Any) -> Any:
            attempts.append(inspect.signature(connectSSL).bind(*arguments, **options).arguments["timeout"])
            return connectSSL(*arguments, **options)

        self.patch(endpoints, "connectSSL", connect)

        def look(peer: Recorder) -> None:
            seen.append((peer.transport.handshakeTimeout, peer.transport.closeTimeout))

        server, client = self.through(
            lambda reactor: TLSServerEndpoint(
                reactor,
                0,
                self.serverContext(),
                interface="127.0.0.1",
                handshakeTimeout=101,
                closeTimeout=102,
            ),
            lambda reactor, port: TLSClientEndpoint(
                reactor, "localhost", port, self.clientContext(), 105, handshakeTimeout=103, closeTimeout=104
            ),
        )
        self.assertEqual(set(attempts), {105})
        look(server)
        look(client)
        self.assertEqual(seen, [(101, 102), (103, 104)])

    def test_the_reactors_own_resolver(self) -> None:
        """Names are asked of the resolver that is installed."""

        @implementer(IHostnameResolver)
        class Resolver:
            def resolveHostName(self, receiver: Any, hostName: str, portNumber: int = 0, *_: Any) -> Any:
                receiver.resolutionBegan(None)
                if hostName == "elsewhere.test":
                    receiver.addressResolved(IPv6Address("TCP", "::1", portNumber))
                receiver.resolutionComplete()

        self.reactor.installNameResolver(Resolver())
        _, client = self.through(
            lambda reactor: TLSServerEndpoint(reactor, 0, self.serverContext(), interface="::1"),
            lambda reactor, port: TLSClientEndpoint(reactor, "elsewhere.test", port, self.clientContext()),
        )
        self.assertEqual(client.data, b"echo")

    def test_ip_address(self) -> None:
        """An address is verified as one, and is not sent as a server name."""
        names = []
        context = self.serverContext()
        context.getContext().set_tlsext_servername_callback(lambda c: names.append(c.get_servername()))
        _, client = self.through(
            lambda reactor: TLSServerEndpoint(reactor, 0, context, interface="127.0.0.1"),
            lambda reactor, port: TLSClientEndpoint(
                reactor, "127.0.0.1", port, self.clientContext("127.0.0.1")
            ),
        )
        self.assertEqual(client.data, b"echo")
        self.assertEqual(names, [None])

    def test_ipv6(self) -> None:
        _, client = self.through(
            lambda reactor: TLSServerEndpoint(reactor, 0, self.serverContext(), interface="::1"),
            lambda reactor, port: TLSClientEndpoint(reactor, "::1", port, self.clientContext("::1")),
        )
        self.assertEqual(client.data, b"echo")
        self.assertEqual(client.transport.getPeer().host, "::1")

    def test_wrapped_endpoints(self) -> None:
        """TLS over the connections of other endpoints."""
        _, client = self.through(
            lambda reactor: wrapServerTLS(
                self.serverContext(), TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1")
            ),
            lambda reactor, port: wrapClientTLS(
                self.clientContext(), TCP4ClientEndpoint(reactor, "127.0.0.1", port)
            ),
        )
        self.assertEqual(client.data, b"echo")
        self.assertIs(client.reason.type, ConnectionDone)

    def test_twisteds_names(self) -> None:
        """DefaultOpenSSLContextFactory and ClientContextFactory: no verification, as with Twisted's."""
        _, client = self.through(
            lambda reactor: TLSServerEndpoint(
                reactor,
                0,
                DefaultOpenSSLContextFactory(pki() / "server.key", pki() / "server.pem"),
                interface="127.0.0.1",
            ),
            lambda reactor, port: TLSClientEndpoint(reactor, "localhost", port, ClientContextFactory()),
        )
        self.assertEqual(client.data, b"echo")

    def test_own_creators(self) -> None:
        """Connection creators of one's own see the transport that they make a connection for."""
        seen = []
        ours, theirs = self.serverContext(), self.clientContext()

        @implementer(IOpenSSLServerConnectionCreator, IOpenSSLClientConnectionCreator)
        class Creator:
            def serverConnectionForTLS(self, transport: Any) -> Any:
                seen.append(transport)
                return get_backend().Connection(ours.getContext(), None)

            def clientConnectionForTLS(self, transport: Any) -> Any:
                seen.append(transport)
                return theirs.clientConnectionForTLS(transport)

        server, client = self.through(
            lambda reactor: TLSServerEndpoint(reactor, 0, Creator(), interface="127.0.0.1"),
            lambda reactor, port: TLSClientEndpoint(reactor, "localhost", port, Creator()),
        )
        self.assertEqual(client.data, b"echo")
        self.assertEqual(set(seen), {client.transport, server.transport})

    def test_unresolvable(self) -> None:
        """A name that is none, and one that cannot be: the Deferred fails."""
        problems: list[Any] = []
        endpoint = TLSClientEndpoint(self.reactor, "name.invalid", 443)

        def failed(problem: Any) -> None:
            problems.append(problem)
            self.reactor.stop()

        self.reactor.callWhenRunning(lambda: endpoint.connect(Once(Recorder())).addErrback(failed))
        self.runReactor(self.reactor, timeout=self.deadline)
        self.assertEqual(len(problems), 1)


matrix(Endpoints, globals(), edges=("socket",))


# -- context factories -----------------------------------------------------------------


class Nothing:
    """No context factory."""


class Foreign:
    """Gives something else."""

    def getContext(self) -> object:
        return object()


@pytest.mark.parametrize("client", [True, False])
@pytest.mark.parametrize("factory", [Nothing(), Foreign(), None, 5])
def test_check_refuses(factory: Any, client: bool) -> None:
    with pytest.raises(TypeError, match="contextFactory"):
        check_factory(factory, client=client)


@pytest.mark.parametrize("factory", [Nothing(), Foreign()])
def test_endpoints_refuse_at_once(factory: Any) -> None:
    for make in (
        lambda: TLSServerEndpoint(None, 0, factory),
        lambda: TLSClientEndpoint(None, "localhost", 443, factory),
        lambda: wrapServerTLS(factory, None),
        lambda: wrapClientTLS(factory, None),
    ):
        with pytest.raises(TypeError, match="contextFactory"):
            make()


def test_what_a_factory_gives_later_is_looked_at() -> None:
    class Turning(Foreign):
        def serverConnectionForTLS(self, transport: Any) -> object:
            return object()

    with pytest.raises(TypeError, match="not a connection of"):
        connection_for(Turning(), False, None, None)
    with pytest.raises(TypeError, match="not a Context of"):
        connection_for(Turning(), True, None, None)


@pytest.mark.parametrize("where", ["subclass", "class", "object"])
def test_who_makes_the_connections_otherwise_is_asked(where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """However the method was replaced: there is a short cut past the one that is ours."""
    made = []

    def make(factory: Any, _: Any) -> Any:
        made.append(get_backend().Connection(factory.getContext()))
        return made[-1]

    class Own(ServerContextFactory):
        serverConnectionForTLS = make

    kind = Own if where == "subclass" else ServerContextFactory
    factory = kind(pki() / "server.pem", pki() / "server.key")
    if where == "class":
        monkeypatch.setattr(ServerContextFactory, "serverConnectionForTLS", make)
    elif where == "object":
        monkeypatch.setattr(factory, "serverConnectionForTLS", lambda _: make(factory, None))
    assert [connection_for(factory, False, None, None)] == made


def test_check_refuses_the_other_role() -> None:
    with pytest.raises(TypeError, match="makes client connections"):
        check_factory(clientContextFactory("localhost"), client=False)


def test_pyopenssl_is_refused_with_a_hint() -> None:
    """Twisted's own options, which need pyOpenSSL."""
    pytest.importorskip("OpenSSL")
    pytest.importorskip("service_identity")
    from twisted.internet.ssl import CertificateOptions, optionsForClientTLS

    for factory, client in ((CertificateOptions(), False), (optionsForClientTLS("localhost"), True)):
        with pytest.raises(TypeError, match="VerifyingClientContextFactory"):
            check_factory(factory, client=client)


def test_factories_provide_their_interfaces() -> None:
    verifyObject(IOpenSSLContextFactory, ClientContextFactory())
    verifyObject(
        IOpenSSLContextFactory, DefaultOpenSSLContextFactory(pki() / "server.key", pki() / "server.pem")
    )
    verifyObject(IOpenSSLClientConnectionCreator, clientContextFactory("localhost"))
    verifyObject(IOpenSSLServerConnectionCreator, ServerContextFactory(pki() / "server-both.pem"))


def test_wrong_arguments_are_named() -> None:
    with pytest.raises(TypeError, match="hostname"):
        VerifyingClientContextFactory(b"localhost")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="hostname"):
        VerifyingClientContextFactory("")
    with pytest.raises(ValueError, match="key"):
        VerifyingClientContextFactory("localhost", key=pki() / "client.key")
    with pytest.raises(errors.Error):
        VerifyingClientContextFactory("localhost", cafile="/nonexistent")
    with pytest.raises(errors.Error):
        DefaultOpenSSLContextFactory(pki() / "server.key", "/nonexistent")
    with pytest.raises(errors.OpenSSLError):
        DefaultOpenSSLContextFactory(pki() / "client.key", pki() / "server.pem")
    with pytest.raises(TypeError, match="key"):
        ServerContextFactory(object())


# What each kind of server asks for, and what each kind of client brings: in memory.


def shaken(server: Any, client: Any, session: Any = None) -> tuple[Any, Any]:
    """The connections of two factories, once their handshake has ended; its error is raised."""
    both = connection_for(server, False, None, None), connection_for(client, True, None, None)
    if session is not None:
        both[1].set_session(session)
    both[1].event_proceed()
    moved = True
    while moved:
        moved = False
        for one, other in (both, both[::-1]):
            while data := one.event_output():
                moved = True
                other.event_feed(data)
                while other.wants & Want.PROCEED:
                    other.event_proceed()
    return both


def good_client(hostname: str = "localhost", **options: Any) -> VerifyingClientContextFactory:
    return VerifyingClientContextFactory(hostname, cafile=pki() / "ca.pem", **options)


class OldTLS(ClientContextFactory):
    method = Method.TLSv1_1


def test_which_versions_of_tls() -> None:
    files = pki() / "server.key", pki() / "server.pem"
    for factory in (
        ClientContextFactory(),
        DefaultOpenSSLContextFactory(*files),
        good_client(),
        ServerContextFactory(*files[::-1]),
    ):
        assert factory.getContext().get_min_proto_version() == ProtocolVersion.TLS1_2
    for factory in (OldTLS(), DefaultOpenSSLContextFactory(*files, Method.TLSv1_1)):
        assert factory.getContext().get_max_proto_version() == ProtocolVersion.TLS1_1


def test_the_chain_and_the_key_of_another_kind(tmp_path: Path) -> None:
    """A server presents all of its file; a key of another kind is not taken for another certificate's."""
    root = Authority()
    identity = root.intermediate().issue("localhost")
    files = identity.write(tmp_path)
    client = VerifyingClientContextFactory("localhost", trust=[root.certificate])
    _, connection = shaken(DefaultOpenSSLContextFactory(files.key, files.certificate), client)
    assert len(connection.get_verified_chain()) == 3
    other = root.issue("localhost", kind="RSA").write(tmp_path, "other")
    with pytest.raises(errors.OpenSSLError):
        DefaultOpenSSLContextFactory(other.key, files.certificate)
    with pytest.raises(errors.CertificateVerificationError):
        shaken(DefaultOpenSSLContextFactory(files.key, files.certificate), good_client())


@pytest.mark.parametrize(
    ("hostname", "asked"),
    [("localhost", b"localhost"), ("localhost.", b"localhost"), ("127.0.0.1", None), ("::1", None)],
)
def test_the_name_that_is_asked_for(hostname: str, asked: bytes | None) -> None:
    server, client = shaken(ServerContextFactory(pki() / "server-both.pem"), good_client(hostname))
    assert server.get_servername() == asked
    assert client.get_peer_certificate() is not None


def test_clients_certificates() -> None:
    """Who asks for one names its authorities, refuses a client without, and resumes one with."""
    server = ServerContextFactory(pki() / "server-both.pem", clientCA=pki() / "ca.pem")
    client = good_client(certificate=pki() / "client.pem", key=pki() / "client.key")
    accepted, connected = shaken(server, client)
    assert accepted.get_peer_certificate().get_subject().CN == "localhost"
    assert [name.CN for name in connected.get_client_ca_list()] == ["Test CA"]
    assert shaken(server, client, connected.get_session())[1].session_reused()
    assert shaken(server, good_client(certificate=pki() / "client-both.pem"))
    with pytest.raises(errors.Error):
        shaken(server, good_client())


# What becomes of the parts of a string.


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """The arguments of the endpoint that a string describes; its files are in the directory at hand."""
    for path in pki().iterdir():
        shutil.copy(path, tmp_path)
    monkeypatch.chdir(tmp_path)

    def parse(parser: Any, *arguments: str, **named: str) -> dict[str, Any]:
        made: dict[str, Any] = {}
        kind = TLSServerEndpoint if isinstance(parser, strings.ServerStringParser) else TLSClientEndpoint
        signature = inspect.signature(kind)
        monkeypatch.setattr(
            strings, kind.__name__, lambda *a, **n: made.update(signature.bind(*a, **n).arguments)
        )
        (parser.parseStreamServer if kind is TLSServerEndpoint else parser.parseStreamClient)(
            None, *arguments, **named
        )
        return made

    return parse


def test_the_parts_of_a_server(parsed: Any) -> None:
    parse = strings.ServerStringParser()
    shutil.copy("server-both.pem", "server.pem")  # what is taken where nothing is given
    given = parsed(parse, "443", interface="::1", backlog="7", alpn=",h2,,echo,")
    assert (given["port"], given["interface"], given["backlog"]) == (443, "::1", 7)
    server = given["contextFactory"]
    assert shaken(server, good_client(alpn=[b"echo"]))[0].get_alpn_proto_negotiated() == b"echo"
    assert server.getContext().get_min_proto_version() == ProtocolVersion.TLS1_2
    context = parsed(parse, "443", sslmethod="TLSv1_1_METHOD")["contextFactory"].getContext()
    assert context.get_min_proto_version() == context.get_max_proto_version() == ProtocolVersion.TLS1_1


def test_the_backlog_of_a_server() -> None:
    from twisted.internet import reactor

    made: list[Any] = []
    endpoint = TLSServerEndpoint(reactor, 0, ServerContextFactory(pki() / "server-both.pem"), 7, "127.0.0.1")
    endpoint.listen(Once(Recorder())).addCallback(made.append)
    assert made[0].backlog == 7
    made[0].stopListening()


def test_the_chain_of_a_server(parsed: Any, tmp_path: Path) -> None:
    root = Authority()
    upper = root.intermediate()
    lower = upper.intermediate("lower authority")
    files = lower.issue("localhost").write(tmp_path, "leaf")
    files.certificate.write_bytes(files.certificate.read_bytes().split(b"-----END")[0] + END)
    (tmp_path / "chain.pem").write_bytes(lower.pem + upper.pem)
    server = parsed(
        strings.ServerStringParser(),
        "0",
        privateKey="leaf.key",
        certKey="leaf.pem",
        extraCertChain="chain.pem",
    )["contextFactory"]
    _, client = shaken(server, VerifyingClientContextFactory("localhost", trust=[root.certificate]))
    assert len(client.get_verified_chain()) == 4


END = b"-----END CERTIFICATE-----\n"


def test_the_parts_of_a_client(parsed: Any) -> None:
    parse = strings.ClientStringParser()
    given = parsed(parse, "example.test")
    assert (given["host"], given["port"], given["contextFactory"].hostname) == (
        "example.test",
        443,
        "example.test",
    )
    given = parsed(
        parse,
        "127.0.0.1",
        "8443",
        hostname="localhost",
        timeout="2.5",
        bindAddress="127.0.0.2",
        cafile="ca.pem",
        alpn="h2,,echo,",
        certificate="client.pem",
        privateKey="client.key",
    )
    assert (given["host"], given["port"], given["timeout"], given["bindAddress"]) == (
        "127.0.0.1",
        8443,
        2.5,
        "127.0.0.2",
    )
    server = ServerContextFactory(pki() / "server-both.pem", clientCA=pki() / "ca.pem")
    shaken(server, given["contextFactory"])
    assert given["contextFactory"].hostname == "localhost"


FILES = "privateKey=server-both.pem"


@pytest.mark.parametrize(
    ("description", "error", "about"),
    [
        # Names: which there are is said with the one that is none.
        ("host=localhost:verify=no", TypeError, "no part 'verify'; it has host, port, hostname, cafile, "),
        ("0:privatekey=server.key", TypeError, "no part 'privatekey'; it has port, privateKey, certKey, "),
        (f"0:{FILES}:reactor=epoll", TypeError, "no part 'reactor'"),
        ("host=localhost:self=no", TypeError, "no part 'self'"),
        (FILES, TypeError, "a server needs the part port"),
        ("port=443", TypeError, "a client needs the part host"),
        (f"0:port=1:{FILES}", TypeError, "port is there twice, as '0' and as '1'"),
        (
            f"0:{FILES}:interface=::1",
            TypeError,
            r"'' is no part of a server's .*a colon in a value is written",
        ),
        ("localhost:443:30", TypeError, "'30' is no part of a client's description"),
        # Values.
        (f"http:{FILES}", ValueError, "port: a number from 0 to 65535 is wanted, not 'http'"),
        (f"65536:{FILES}", ValueError, "port: .* not '65536'"),
        (f"-1:{FILES}", ValueError, "port: .* not '-1'"),
        ("localhost:65536", ValueError, "port: .* not '65536'"),
        ("localhost:\u0664\u0664\u0663", ValueError, "port: .* not "),
        ("host=localhost:timeout=0", ValueError, "timeout: .* not '0'"),
        ("host=localhost:timeout=inf", ValueError, "timeout: .* not 'inf'"),
        (f"host=localhost:alpn={'a' * 256}", ValueError, "alpn: .*255 bytes"),
        ("0:server-both.pem", TypeError, "'server-both.pem' is no part of a server's"),
        ("localhost:0", ValueError, "port: a number from 1 to 65535 is wanted, not '0'"),
        (f"0:{FILES}:backlog=many", ValueError, "backlog: .* not 'many'"),
        (f"0:{FILES}:sslmethod=NONSENSE", ValueError, "sslmethod: .* not 'NONSENSE'"),
        (f"0:{FILES}:alpn=h\xe9", ValueError, "alpn: "),
        ("host=", ValueError, "host: a value is wanted"),
        ("host=localhost:timeout=soon", ValueError, "timeout: .* not 'soon'"),
        ("host=localhost:timeout=-1", ValueError, "timeout: .* not '-1'"),
        ("host=localhost:timeout=nan", ValueError, "timeout: .* not 'nan'"),
        ("host=localhost:privateKey=client.key", ValueError, "privateKey is of no use without certificate"),
        # What is missing.
        (
            "0:interface=127.0.0.1",
            ValueError,
            "certKey and privateKey are wanted, .* server.pem .* not there",
        ),
        ("0:certKey=server.pem", ValueError, "privateKey is wanted"),
        # Files.
        ("0:privateKey=server.key", errors.Error, "certKey: server.key has no certificate in it"),
        ("0:privateKey=none.key", errors.Error, "certKey: none.key cannot be read: No such file"),
        ("0:privateKey=none.key:certKey=server.pem", errors.Error, "privateKey: none.key cannot be read"),
        (
            "0:privateKey=ca.pem:certKey=server.pem",
            errors.Error,
            "privateKey: ca.pem has no private key in it",
        ),
        (
            "0:privateKey=client.key:certKey=server.pem",
            errors.Error,
            "privateKey: the private key in client.key does not belong to the certificate in server.pem",
        ),
        (f"0:{FILES}:extraCertChain=server.key", errors.Error, "extraCertChain: server.key has no certif"),
        (f"0:{FILES}:extraCertChain=none.pem", errors.Error, "extraCertChain: none.pem cannot be read"),
        (f"0:{FILES}:clientCA=server.key", errors.Error, "clientCA: server.key has no certificate"),
        (f"0:{FILES}:dhParameters=ca.pem", errors.Error, "dhParameters: ca.pem has no Diffie-Hellman param"),
        ("host=localhost:cafile=server.key", errors.Error, "cafile: server.key has no certificate"),
        ("host=localhost:caCertsDir=none", errors.Error, "caCertsDir: there is no directory none"),
        ("host=localhost:caCertsDir=bad", errors.Error, "caCertsDir: bad/x.pem has no certificate"),
        ("host=localhost:certificate=ca.pem", errors.Error, "privateKey: ca.pem has no private key"),
    ],
)
def test_wrong_strings(
    description: str, error: type[Exception], about: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The part is named, as it is called in the string."""
    from twisted.internet import reactor

    for name in ("ca.pem", "server.key", "server-both.pem", "client.key"):
        shutil.copy(pki() / name, tmp_path)
    if "certKey=server.pem" in description and "privateKey" in description:
        shutil.copy(pki() / "server.pem", tmp_path)  # elsewhere it would be the default
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "x.pem").write_text("hello\n")
    monkeypatch.chdir(tmp_path)
    server = description[0] in "-0123456789" or description.startswith(("http", "privateKey"))
    parse: Any = serverFromString if server else clientFromString
    with pytest.raises(error, match=f"^ossl: .*{about}") as caught:
        parse(reactor, f"ossl:{description}")
    if error is errors.Error:
        assert isinstance(caught.value, ValueError)


def test_a_factory_survives_pickling_by_its_files() -> None:
    import pickle

    factory = DefaultOpenSSLContextFactory(str(pki() / "server.key"), str(pki() / "server.pem"))
    again = pickle.loads(pickle.dumps(factory))
    assert again.getContext() is not factory.getContext()


def test_the_plugin_is_found() -> None:
    """In a fresh process, by Twisted's own way to look."""
    script = (
        "from twisted.plugin import getPlugins\n"
        "from twisted.internet.interfaces import IStreamClientEndpointStringParserWithReactor as C\n"
        "from twisted.internet.interfaces import IStreamServerEndpointStringParser as S\n"
        "print([sum(p.prefix == 'ossl' for p in getPlugins(i)) for i in (C, S)])\n"
    )
    result = subprocess.run([sys.executable, "-P", "-c", script], capture_output=True, text=True)
    assert result.stdout.strip().endswith("[1, 1]"), result.stderr
