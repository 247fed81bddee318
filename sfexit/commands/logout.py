"""`sfexit logout`: end a stored sign-in, in the org and here."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from sfexit.commands import _exit
from sfexit.commands._open import allowed_hosts, ca_bundle_option, open_store, settings_for
from sfexit.errors import SfexitError, UsageProblem

if TYPE_CHECKING:
    from sfexit.salesforce.stored import Store, StoredOrg


@click.command(
    "logout",
    epilog=("\b\nExamples:\n  sfexit logout acme\n  sfexit logout --all\n"),
)
@click.argument("alias", required=False)
@click.option("--all", "everything", is_flag=True, help="All stored sign-ins.")
@ca_bundle_option
def command(alias: str | None, everything: bool, ca_bundle: str | None) -> int:
    """End the sign-in stored as ALIAS (default: the default org) and forget it.

    What `sfexit login` got from a browser is revoked in the org, with every session that came
    from it. It is forgotten here even when the org cannot be reached; the exit code is then 1 and
    what is left to do in the org is told.
    """
    if alias is not None and everything:
        raise UsageProblem("Give either an alias or --all.")
    settings = settings_for(None, ca_bundle=ca_bundle)
    store = open_store()
    orgs = store.orgs() if everything else (_chosen(store, alias),)
    if not orgs:
        click.echo("No org is stored.", err=True)
        return _exit.DONE
    hosts = allowed_hosts(settings)
    clean = [_end(store, org, hosts, settings.ca_bundle) for org in orgs]
    return _exit.DONE if all(clean) else _exit.ERROR


def _chosen(store: Store, alias: str | None) -> StoredOrg:
    alias = alias or store.default
    if alias is None:
        raise UsageProblem("Name the stored org to sign out of, or give --all; sfexit orgs lists.")
    return store.find(alias)


def _end(store: Store, org: StoredOrg, hosts: tuple[str, ...], ca_bundle: str | None) -> bool:
    """Whether nothing is left to do."""
    from sfexit.salesforce import stored_session
    from sfexit.salesforce.vaults import VaultTrouble

    clean = True
    try:
        ended = stored_session.revoke(store, org, allow_hosts=hosts, ca_bundle=ca_bundle)
        told = {
            True: "ended in the org and forgotten here.",
            False: "forgotten here; in the org it had ended before.",
            None: _NOTHING_TO_REVOKE[org.kind],
        }[ended]
    except SfexitError as problem:
        clean = False
        told = (
            f"forgotten here, but not ended in the org ({problem.message.rstrip('.')}); have an "
            "administrator revoke it there: Setup, Connected Apps OAuth Usage, or the user's "
            "OAuth Connected Apps."
        )
    try:
        store.remove(org)
    except VaultTrouble as trouble:
        clean = False
        told += (
            f" The key ring did not let its entry go ({trouble}): remove those that begin with "
            f"sfexit:{org.key} by hand."
        )
    from sfexit.redaction import printable, redact

    click.echo(f"{org.alias}: {printable(redact(told), 600)}", err=True)
    return clean


_NOTHING_TO_REVOKE = {
    "web": "forgotten here; no session of it was left.",
    "client-credentials": "forgotten here. The app's secret stays valid in the org: rotate it "
    "there if anybody else may have it.",
    "jwt": "forgotten here. The private key stays in its file, and the app stays valid in the org.",
}
