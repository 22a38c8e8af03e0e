"""The commands and their arguments."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from . import messages
from .messages import Refusal, complain, die_by, mend_standard_files
from .options import ADDRESS, ALPN, HOST_AND_PORT, SIZE, Target
from .run import REACTORS, run_in_reactor

__all__ = ["run"]

Command = TypeVar("Command", bound=Callable[..., Any])

_file = click.Path(exists=True, dir_okay=False, readable=True, path_type=Path)
_directory = click.Path(exists=True, file_okay=False, readable=True, path_type=Path)

_reactor = click.option(
    "--reactor", type=click.Choice(list(REACTORS)), help="Twisted's event loop; its own choice if left out."
)
_ALPN = "Protocols to offer, best first.  The table says which one the peer took, if any."
_tls = click.option("--tls", type=click.Choice(["1.2", "1.3"]), help="This version of TLS and no other.")


def _seconds(default: float, help_: str) -> Callable[[Command], Command]:
    return click.option(
        "--timeout",
        type=click.FloatRange(0.1, 86400),
        default=default,
        show_default=True,
        metavar="SECONDS",
        help=help_,
    )


@click.group(
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(package_name="openssl-iface-twisted", message="%(package)s %(version)s")
@click.option("--debug", is_flag=True, help="Show Twisted's log, and where an error comes from.")
@click.pass_context
def commands(context: click.Context, debug: bool) -> None:
    """TLS for Twisted on openssl-iface: try it, serve files, connect."""
    messages.debug = debug
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


@commands.command()
@click.option(
    "--size", type=SIZE, default="64M", show_default=True, help="How much each way: MiB, or with K, M, G."
)
@_tls
@_reactor
def demo(size: int, tls: str | None, reactor: str | None) -> int:
    """Show a server and a client at work.

    Makes an authority and a certificate in memory, listens on a free port of this machine, connects, verifies
    chain and host name, sends data each way and compares the digests.  The exit status is 0 only if all of
    that held.
    """
    from .demo import demo as main

    return run_in_reactor(reactor, lambda loop: main(loop, size=size, tls=tls))


@commands.command()
@click.argument("directory", type=_directory)
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8443, show_default=True, help="0: any that is free."
)
@click.option("--interface", type=ADDRESS, help="Listen on this address only; on all if left out.")
@click.option("--certificate", type=_file, help="A PEM file: the certificate, and the chain above it.")
@click.option("--key", type=_file, help="A PEM file: its key; the certificate's file if left out.")
@click.option(
    "--ca-file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the authority of the made certificate here, and keep it.",
)
@_tls
@_reactor
def serve(
    directory: Path,
    port: int,
    interface: str | None,
    certificate: Path | None,
    key: Path | None,
    ca_file: Path | None,
    tls: str | None,
    reactor: str | None,
) -> int:
    """Serve the files of DIRECTORY by HTTPS, until Ctrl-C.

    Without a certificate one is made, for localhost, this machine's name and the address that is listened on;
    what its authority is written to is said at the start.
    """
    if key is not None and certificate is None:
        raise click.UsageError("--key needs --certificate.")
    if ca_file is not None and certificate is not None:
        raise click.UsageError("--ca-file is for a certificate that is made here, not for one that is given.")
    from .serve import Settings
    from .serve import serve as main

    settings = Settings(directory, port, interface, certificate, key, ca_file, tls, many=reactor != "select")
    return run_in_reactor(reactor, lambda loop: main(loop, settings))


@commands.command()
@click.argument("target", metavar="HOST:PORT", type=HOST_AND_PORT)
@click.option("--cafile", type=_file, help="Trust the authorities of this PEM file, not the system's.")
@click.option("--servername", help="The name to ask for and to verify; HOST if left out.")
@click.option("--alpn", type=ALPN, default=(), metavar="A,B", help=_ALPN)
@click.option("--certificate", type=_file, help="Our own certificate, and the chain above it: a PEM file.")
@click.option("--key", type=_file, help="Its key; the certificate's file if left out.")
@click.option("--ignore-eof", is_flag=True, help="Do not close our side when standard input ends.")
@_seconds(30, "How long connecting and the handshake may take, each.")
@_tls
@_reactor
def connect(
    target: Target,
    cafile: Path | None,
    servername: str | None,
    alpn: tuple[bytes, ...],
    certificate: Path | None,
    key: Path | None,
    ignore_eof: bool,
    timeout: float,
    tls: str | None,
    reactor: str | None,
) -> int:
    """Connect to HOST:PORT, verify it, and relay standard input and output.

    The port is 443 if only HOST is given.  An IPv6 address is written [::1]:443.

    What is known of the connection goes to standard error.  The end of standard input closes our side with
    close_notify, and the command goes on until the peer closes its own (peers that speak TLS 1.2 do so at
    once, and drop what they had to say: see --ignore-eof).
    """
    if key is not None and certificate is None:
        raise click.UsageError("--key needs --certificate.")
    if servername == "":
        raise click.UsageError("--servername is empty.")
    from .connect import Settings
    from .connect import connect as main

    settings = Settings(target, cafile, servername, alpn, certificate, key, ignore_eof, timeout, tls)
    return run_in_reactor(reactor, lambda loop: main(loop, settings))


def run(arguments: list[str] | None = None) -> int:
    """Run a command; whatever goes wrong is one sentence.

    :return: the exit status.
    """
    try:
        mend_standard_files()
        status = commands.main(arguments, standalone_mode=False) or 0
        sys.stdout.flush()
    except (click.Abort, KeyboardInterrupt):
        return die_by(signal.SIGINT)
    except click.ClickException as error:
        complain(error.format_message())
        return error.exit_code
    except BrokenPipeError:
        return die_by(signal.SIGPIPE)
    except Exception as error:
        if messages.debug:
            raise
        complain(_sentence(error))
        return 1
    return int(status)


def _sentence(error: Exception) -> str:
    if isinstance(error, Refusal):
        return str(error)
    from .failures import explain

    return explain(error)
