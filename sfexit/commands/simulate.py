"""`sfexit simulate`: the simulated org on its own, for people who want to try their own tools."""

from __future__ import annotations

import json
import shlex
import ssl
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sfexit.commands import _exit
from sfexit.offboarding.flags import LIFTED

if TYPE_CHECKING:
    from sfexit.simulated_org import SimulatedOrg, Staff

_TLS_DAYS = 30
_SHOWN = 3  # leavers in the line to try
#: Those of the first kind sfexit lifts by itself; the others only somebody in Setup could.
_BLOCKERS = {"liftable": LIFTED, "all": None, "none": ()}


@click.command(
    "simulate",
    epilog=(
        "\b\nExamples:\n"
        "  sfexit simulate\n"
        "  sfexit simulate --shape full --rows 100000 --pace real\n"
        "  sfexit simulate --tls --port 8443\n"
        "  sfexit simulate --people 40 --leavers 5   to rehearse sfexit offboard-users\n"
    ),
)
@click.option(
    "--rows",
    type=click.IntRange(0, 10_000_000),
    default=12_000,
    show_default=True,
    metavar="NUMBER",
    help="About how many records the made-up company has.",
)
@click.option(
    "--seed",
    type=int,
    default=7,
    show_default=True,
    metavar="NUMBER",
    help="Another number, another company; the same number, the same company.",
)
@click.option(
    "--shape",
    type=click.Choice(["crm", "full"]),
    default="crm",
    show_default=True,
    help="Objects: those people work with, or all 1,400 of a grown org.",
)
@click.option(
    "--port",
    type=click.IntRange(0, 65_535),
    default=0,
    metavar="NUMBER",
    help="Where it listens on this computer; 0, the default, takes a free port.",
)
@click.option(
    "--tls",
    is_flag=True,
    help="Speak HTTPS, with a certificate made for this run.",
)
@click.option(
    "--pace",
    type=click.Choice(["none", "real"]),
    default="none",
    show_default=True,
    help="How slow: as fast as it can, or like a production org far away.",
)
@click.option(
    "--people",
    type=click.IntRange(0, 20_000),
    default=0,
    metavar="NUMBER",
    help="So many employees with profiles, queues, teams, sessions; the org then takes changes.",
)
@click.option(
    "--leavers",
    type=click.IntRange(1),
    default=3,
    show_default=True,
    metavar="NUMBER",
    help="With --people: name so many who are to leave, and a successor.",
)
@click.option(
    "--blockers",
    type=click.Choice(list(_BLOCKERS)),
    default="liftable",
    show_default=True,
    help="With --people: what stands in the way of the first leavers, one kind each.",
)
@click.option(
    "--for",
    "seconds",
    type=click.FloatRange(min=0.1),
    metavar="SECONDS",
    help="Stop by itself after so long.",
)
def command(
    rows: int,
    seed: int,
    shape: str,
    port: int,
    tls: bool,
    pace: str,
    people: int,
    leavers: int,
    blockers: str,
    seconds: float | None,
) -> int:
    """Run the built-in simulated org on its own, until Ctrl-C.

    It listens on this computer only. Prints the environment variables that lead sfexit to it on
    stderr, and one line of JSON for programs on stdout. With --people it has employees, and
    `sfexit offboard-users` can be rehearsed on it: planned, carried out, taken back.
    """
    from sfexit.commands._signals import stopping
    from sfexit.simulated_org import REAL, Pace, SimulatedOrg, serve

    if people and people <= leavers:
        raise click.UsageError(f"--leavers {leavers}: of {people} people somebody must stay")
    org = SimulatedOrg(
        seed=seed,
        rows=rows,
        shape=shape,
        query_all_files=True,
        read_only=not people,
        staff=_staff(people, blockers) if people else None,
    )
    with ExitStack() as stack:
        context, bundle = None, None
        if tls:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            context, bundle = _certificate(folder)
        stop = stack.enter_context(stopping(_say))
        try:
            server = serve(org, tls=context, port=port, pace=REAL if pace == "real" else Pace())
        except OSError as error:
            raise click.UsageError(f"port {port} is not free: {error.strerror}") from error
        stack.enter_context(server)
        told = {
            "SFEXIT_INSTANCE_URL": server.url,
            "SFEXIT_ACCESS_TOKEN": org.access_token,
        }
        if bundle is not None:
            told["SFEXIT_CA_BUNDLE"] = str(bundle)
        _say(f"A made-up company: {len(org.objects):,} objects, about {rows:,} records.")
        _say("For sfexit, and for tools that read such variables:")
        for name, value in told.items():
            _say(f"  export {name}='{value}'")
        leaving, successor = _who(org, leavers)
        if leaving:
            _say(f"{people:,} people work there. To rehearse that {len(leaving):,} of them leave:")
            some = shlex.join(leaving[:_SHOWN])
            _say(f"  sfexit offboard-users plan rehearsal {some} --to {shlex.quote(successor)}")
            if leaving[_SHOWN:]:
                _say(f"  (and {len(leaving) - _SHOWN:,} more, named on stdout)")
        _say("Ctrl-C ends it; nothing is kept.")
        line = {
            "url": server.url,
            "access_token": org.access_token,
            "refresh_token": org.refresh_token,
            "client_id": org.client_id,
            "client_secret": org.client_secret,
            "organization_id": org.organization_id,
            "objects": len(org.objects),
            "ca_bundle": str(bundle) if bundle is not None else None,
            "leavers": leaving,
            "successor": successor,
        }
        click.echo(json.dumps(line))
        stop.wait(seconds)
    return _exit.DONE


def _staff(people: int, blockers: str) -> Staff:
    from sfexit.simulated_org import Staff

    kinds = _BLOCKERS[blockers]
    return Staff(people=people) if kinds is None else Staff(people=people, blockers=kinds)


def _who(org: SimulatedOrg, leavers: int) -> tuple[list[str], str]:
    """Usernames of those who are to leave, and of a successor; none in an org without people."""
    if org.employed is None:
        return [], ""
    table = org.tables.tables["User"]
    names = [table.value(table.changes, "Username", n) or "" for n in org.employed.people]
    return names[:leavers], names[-1]


def _certificate(folder: Path) -> tuple[ssl.SSLContext, Path]:
    """A certificate of an authority that exists for this run only, and the file to trust."""
    import datetime
    import ipaddress

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    now = datetime.datetime.now(datetime.UTC)
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sfexit simulate")])
    hosts = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=_TLS_DAYS))
        .add_extension(x509.SubjectAlternativeName(hosts), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    bundle, private = folder / "authority.pem", folder / "key.pem"
    bundle.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(bundle, private)
    return context, bundle


def _say(text: str) -> None:
    click.echo(text, err=True)
