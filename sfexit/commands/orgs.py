"""`sfexit orgs`: the sign-ins stored on this computer."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from sfexit.commands import _exit
from sfexit.commands._open import open_store

if TYPE_CHECKING:
    from sfexit.salesforce.stored import StoredOrg

SCHEMA = "sfexit-orgs/1"


@click.command(
    "orgs",
    epilog=("\b\nExamples:\n  sfexit orgs\n  sfexit orgs --default acme\n  sfexit orgs --json\n"),
)
@click.option("--default", "default", metavar="ALIAS", help="Use ALIAS when no org is named.")
@click.option("--json", "as_json", is_flag=True, help="Print them as one JSON document.")
def command(default: str | None, as_json: bool) -> int:
    """List the orgs stored by `sfexit login`, without any secret and without asking the orgs."""
    store = open_store()
    if default is not None:
        store.set_default(default)
    orgs, chosen = store.orgs(), store.default
    if as_json:
        listed = [document_of(org, org.alias == chosen) for org in orgs]
        click.echo(json.dumps({"schema": SCHEMA, "orgs": listed}, indent=1))
        return _exit.DONE
    if not orgs:
        click.echo("No org is stored; sfexit login stores one.", err=True)
        return _exit.DONE
    from sfexit.redaction import printable

    rows = [("", "ALIAS", "USER", "ORG", "KIND", "SECRETS")]
    rows += [
        ("*" if org.alias == chosen else "", org.alias, printable(org.username, 60) or "-",
         org.instance_url, org.kind, org.place)
        for org in orgs
    ]  # fmt: skip
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        click.echo("  ".join(map(str.ljust, row, widths)).rstrip())
    if chosen is not None:
        click.echo("* is used when no org is named.", err=True)
    return _exit.DONE


def document_of(org: StoredOrg, default: bool) -> dict[str, Any]:
    """What is public of a stored org."""
    return {
        "alias": org.alias,
        "default": default,
        "organization_id": org.organization_id,
        "organization_name": org.organization_name,
        "instance_url": org.instance_url,
        "username": org.username,
        "kind": org.kind,
        "client_id": org.client_id,
        "secrets_in": org.place,
        "renewable": org.renewable,
        "stored_at": org.stored_at,
    }


def where(org: StoredOrg) -> str:
    """One sentence on what is kept, and where."""
    import os

    from sfexit.salesforce.stored import FOLDER
    from sfexit.salesforce.vaults import KeyringVault, VaultTrouble
    from sfexit.settings import config_folder

    if org.place == "none":
        return f"Kept: no secret; the private key stays in {org.key_file}."
    what = "the app's secret" if org.kind == "client-credentials" else "the refresh token"
    if not org.renewable:
        what = "the session"
    if org.place == "file":
        return f"Kept: {what}, in a file in {config_folder(os.environ) / FOLDER} (mode 0600)."
    try:
        name = KeyringVault().name
    except VaultTrouble:
        name = "key ring"
    return f"Kept: {what}, in the system's key ring ({name})."
