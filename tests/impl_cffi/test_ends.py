"""Programs that end while objects are alive, threads run, and other processes have copies of it all.

Each is a program of its own: it must end with status 0, and say nothing but what it means to.
"""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap

import pytest

BEGINNING = """
import atexit, faulthandler, gc, os, signal, socket, sys, textwrap, threading
faulthandler.enable()
from openssl_iface import SSL, crypto, rand

key = crypto.PKey()
key.generate_key("EC", 256)
cert = crypto.X509()
cert.set_version(2)
cert.set_serial_number(7)
cert.get_subject().CN = "x"
cert.set_issuer(cert.get_subject())
cert.gmtime_adj_notBefore(0)
cert.gmtime_adj_notAfter(9999)
cert.set_pubkey(key)
cert.sign(key, "sha256")

def pair():
    server, client = SSL.Context(SSL.TLS_METHOD), SSL.Context(SSL.TLS_METHOD)
    server.use_certificate(cert)
    server.use_privatekey(key)
    client.set_verify(SSL.VERIFY_PEER, lambda *a: True)
    client.set_info_callback(lambda *a: None)
    one, other = socket.socketpair()
    one, other = SSL.Connection(server, one), SSL.Connection(client, other)
    one.set_accept_state()
    other.set_connect_state()
    for each in (one, other):
        each.setblocking(False)
    busy = [other, one]  # without a thread: none can begin when the interpreter ends
    while busy:
        try:
            busy[0].do_handshake()
            del busy[0]
        except SSL.WantReadError:
            busy.reverse()
    for each in (one, other):
        each.setblocking(True)
    return one, other

def use():
    crypto.load_certificate(1, crypto.dump_certificate(1, cert)).digest("sha256")
    crypto.verify(cert, crypto.sign(key, b"x", "sha256"), b"x", "sha256")
    crypto.X509Store().add_cert(cert)
    rand.bytes(5)
    assert cert.get_subject().CN == "x"
"""

ENDS = {
    "everything is alive": """
        one, other = pair()
        one.set_app_data(one)
        store = crypto.X509Store()
        store.add_cert(cert)
        alive = [
            crypto.X509StoreContext(store, cert), crypto.X509Req(), crypto.CRL(), crypto.Revoked(),
            crypto.PKCS12(), crypto.NetscapeSPKI(), crypto.PKCS7.sign(cert, key, b"x"), cert.get_subject(),
            other.get_session(), other.get_peer_cert_chain(), other.get_context().get_cert_store(),
        ]
        alive.append(alive)
    """,
    "what runs at the end uses them": """
        one, other = pair()

        def late():
            one.send(b"x")
            assert other.recv(5) == b"x"
            pair()
            use()

        atexit.register(late)
    """,
    "destructors use them": """
        class Last:
            def __init__(self):
                self.me, self.pair, self.use = self, pair(), use

            def __del__(self):
                self.pair[0].send(b"x")
                assert self.pair[1].recv(5) == b"x"
                self.use()

        last = Last()
    """,
    "threads wait for data": """
        one, other = pair()
        for _ in range(3):
            threading.Thread(target=other.recv, args=(5,), daemon=True).start()
    """,
    "threads are in the midst of it": """
        def busy(work):
            begun.release()
            while True:
                work()

        begun = threading.Semaphore(0)
        for work in (use, pair, pair):
            threading.Thread(target=busy, args=(work,), daemon=True).start()
            begun.acquire()
    """,
    "a key is being made": """
        begun = threading.Event()

        def make():
            begun.set()
            crypto.PKey().generate_key("RSA", 16000)

        threading.Thread(target=make, daemon=True).start()
        begun.wait()
    """,
}

FORKS = {
    "the child uses and drops all": """
        one, other = pair()
        name, store = cert.get_subject(), crypto.X509Store()
        store.add_cert(cert)
        if child := os.fork():
            assert os.waitpid(child, 0)[1] == 0
            assert one.recv(10) == b"child"
        else:
            signal.alarm(60)
            other.send(b"child")
            assert name.CN == "x"
            crypto.X509StoreContext(store, cert).verify_certificate()
            use()
            pair()
            del one, other, name, store
            gc.collect()
            os._exit(0)
    """,
    "the child ends as programs do": """
        one, other = pair()
        if child := os.fork():
            assert os.waitpid(child, 0)[1] == 0
            assert one.recv(10) == b"child"
        else:
            other.send(b"child")
            sys.stdout = open(os.devnull, "w")
    """,
    "threads are in the midst of it and the child drops all": """
        stop = []

        def busy():
            while not stop:
                use()
                pair()

        threads = [threading.Thread(target=busy) for _ in range(3)]
        for thread in threads:
            thread.start()
        one, other = pair()
        for _ in range(10):
            if child := os.fork():
                assert os.waitpid(child, 0)[1] == 0
            else:
                # OpenSSL may be locked for ever here; to drop what there is must not ask for the lock.
                signal.alarm(60)
                del one, other, key, cert
                gc.collect()
                os._exit(0)
        stop.append(True)
        for thread in threads:
            thread.join()
    """,
    "a thread waits for data": """
        one, other = pair()
        read = threading.Event()

        def wait():
            other.recv(1)
            read.set()
            other.recv(1)

        thread = threading.Thread(target=wait)
        thread.start()
        one.send(b"x")
        read.wait()
        if child := os.fork():
            assert os.waitpid(child, 0)[1] == 0
            one.send(b"x")
            thread.join()
        else:
            signal.alarm(60)
            try:
                other.send(b"child")
            except SSL.Error as error:  # the thread was not waiting, but had just been reading
                assert "forked" in str(error)
            other.get_peer_certificate()
            os._exit(0)
    """,
}

OWNERS = """
    one, other = pair()
    peer, session, context = other.get_peer_certificate(), other.get_session(), other.get_context()
    chain, store, name = other.get_peer_cert_chain(), context.get_cert_store(), peer.get_subject()
    public = peer.get_pubkey()
    del one, other, peer
    gc.collect()
    assert (name.CN, chain[0].get_subject().CN, public.bits()) == ("x", "x", 256)
    connection = SSL.Connection(context, None)
    del context, chain
    gc.collect()
    connection.set_connect_state()
    connection.set_session(session)
    store.add_cert(cert)
    del session
    try:
        connection.do_handshake()
    except SSL.WantReadError:
        pass
    name.CN = "y"
    crl, entry = crypto.CRL(), crypto.Revoked()
    entry.set_serial(b"5")
    entry.set_rev_date(b"20200101000000Z")
    crl.add_revoked(entry)
    (entry,), issuer = crl.get_revoked(), crl.get_issuer()
    pkcs12 = crypto.PKCS12()
    pkcs12.set_certificate(cert)
    pkcs12.set_privatekey(key)
    pkcs12 = crypto.load_pkcs12(pkcs12.export("x", iter=1, maciter=1), "x")
    private = pkcs12.get_privatekey()
    del crl, pkcs12, store, connection
    gc.collect()
    assert int(entry.get_serial(), 16) == 5 and issuer.CN is None and private.check()
"""

# An interpreter of its own in the same process; since Python 3.12 the strict kind takes no module of cffi.
SUBINTERPRETER = """
    try:
        import _interpreters as interpreters
    except ImportError:
        import _xxsubinterpreters as interpreters
    code = '''
    from openssl_iface import SSL, crypto
    key = crypto.PKey()
    key.generate_key("EC", 256)
    context = SSL.Context(SSL.TLS_METHOD)
    seen = []
    context.set_info_callback(lambda *a: seen.append(a))
    connection = SSL.Connection(context, None)
    connection.set_connect_state()
    try:
        connection.do_handshake()
    except SSL.WantReadError:
        pass
    assert seen
    '''
    for _ in range(2):
        inner = interpreters.create()
        try:
            run = getattr(interpreters, "exec", None) or interpreters.run_string
            failure = run(inner, textwrap.dedent(code))
        except interpreters.RunFailedError as error:
            failure = error
        assert failure is None or "no backend of openssl_iface can be loaded" in str(failure), failure
        interpreters.destroy(inner)
    use()
    pair()
"""


def run(code: str) -> None:
    code = f"{BEGINNING}{textwrap.dedent(code)}\nprint('end')"
    # That it may hang is what Python says of every fork beside threads, since 3.12.
    quiet = "ignore:This process:DeprecationWarning"
    done = subprocess.run(
        [sys.executable, "-P", "-W", quiet, "-c", code], capture_output=True, text=True, timeout=300
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "end\n", "")


@pytest.mark.parametrize("end", ENDS)
def test_the_interpreter_ends_while(end: str) -> None:
    run(ENDS[end])


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
@pytest.mark.parametrize(
    # AddressSanitizer's own locks do not survive a fork amid threads.
    "fork",
    [pytest.param(fork, marks=pytest.mark.slow if "midst" in fork else ()) for fork in FORKS],
)
def test_a_process_forks_while(fork: str) -> None:
    run(FORKS[fork])


def test_owners_are_gone() -> None:
    run(OWNERS)


def test_another_interpreter_works_or_says_why_not() -> None:
    run(SUBINTERPRETER)
