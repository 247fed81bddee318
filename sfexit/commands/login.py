"""`sfexit login`: sign in to an org once and keep the sign-in."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sfexit.commands import _exit
from sfexit.commands._open import allowed_hosts, ca_bundle_option, open_store, settings_for
from sfexit.errors import OrgRefused, SfexitError, SignInProblem, UsageProblem

if TYPE_CHECKING:
    from sfexit.redaction import Secret
    from sfexit.salesforce.credential import Credential
    from sfexit.salesforce.origin import Origin
    from sfexit.salesforce.stored import Grant, Store, StoredOrg
    from sfexit.salesforce.token_endpoint import TokenAnswer, TokenEndpoint

SCHEMA = "sfexit-login/1"
_METHODS = ("web", "client-credentials", "jwt")
_DEFAULT_PORT = 1717
_WAIT_SECONDS = 300


@click.command(
    "login",
    epilog=(
        "\b\nThe app is your own external client app (docs/external-client-app.md tells how to\n"
        "make one). Its id comes from --client-id or SFEXIT_CLIENT_ID; its secret, where it has\n"
        "one, from SFEXIT_CLIENT_SECRET or --ask-secret, never from the command line.\n"
        "\b\nExamples:\n"
        "  sfexit login --client-id 3MVG9... --instance-url https://acme.my.salesforce.com\n"
        "  sfexit login --client-id 3MVG9... --sandbox --alias uat --no-browser\n"
        "  sfexit login --method client-credentials --instance-url "
        "https://acme.my.salesforce.com\n"
        "  sfexit login --method jwt --username export@acme.com --key-file key.pem --alias acme\n"
    ),
)
@click.option(
    "--method",
    # The last three are not offered; they are taken here so that the reason can be told.
    type=click.Choice([*_METHODS, "device", "password", "soap"]),
    metavar="METHOD",
    default="web",
    show_default=True,
    help="web: a person at a browser. client-credentials: the app's own user, with its secret. "
    "jwt: one user, with the private key of the app's certificate.",
)
@click.option("--client-id", metavar="ID", help="The app's consumer key (or SFEXIT_CLIENT_ID).")
@click.option(
    "--instance-url",
    metavar="URL",
    help="The org's My Domain address, https://mycompany.my.salesforce.com "
    "(or SFEXIT_INSTANCE_URL).",
)
@click.option("--sandbox", is_flag=True, help="Sign in at test.salesforce.com.")
@click.option("--alias", metavar="NAME", help="Store it as NAME (default: the org's own name).")
@click.option("--default", "default", is_flag=True, help="Use this org when none is named.")
@click.option(
    "--port",
    type=click.IntRange(1024, 65535),
    default=_DEFAULT_PORT,
    show_default=True,
    help="Port of this computer for the way back from the browser; the app must list "
    "http://localhost:PORT/OauthRedirect.",
)
@click.option("--no-browser", is_flag=True, help="Print the address instead of opening it.")
@click.option(
    "--timeout",
    type=click.IntRange(10, 3600),
    default=_WAIT_SECONDS,
    show_default=True,
    metavar="SECONDS",
    help="How long to wait for the browser.",
)
@click.option("--ask-secret", is_flag=True, help="Ask for the app's secret, hidden.")
@click.option("--username", metavar="NAME", help="jwt: the user (or SFEXIT_USERNAME).")
@click.option(
    "--key-file",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="jwt: the private key, PEM, mode 0600 (or SFEXIT_PRIVATE_KEY_FILE). It stays there.",
)
@click.option(
    "--audience",
    metavar="URL",
    help="jwt: the one audience to use (or SFEXIT_JWT_AUDIENCE; default: the likely ones are "
    "tried).",
)
@click.option(
    "--store",
    "place",
    type=click.Choice(["keyring", "file"]),
    default="keyring",
    show_default=True,
    help="Where secrets go: the system's key ring (a file where there is none), or a file of "
    "mode 0600.",
)
@ca_bundle_option
@click.option("--json", "as_json", is_flag=True, help="Print the result as one JSON document.")
def command(
    method: str,
    client_id: str | None,
    instance_url: str | None,
    sandbox: bool,
    alias: str | None,
    default: bool,
    port: int,
    no_browser: bool,
    timeout: int,
    ask_secret: bool,
    username: str | None,
    key_file: Path | None,
    audience: str | None,
    place: str,
    ca_bundle: str | None,
    as_json: bool,
) -> int:
    """Sign in to an org once; other commands then take it with --org NAME.

    The session is tried at once: which org it is, whose it is, and whether it may use the API.
    Secrets go to the system's key ring, never into the archive. `sfexit logout` ends it.
    """
    from sfexit.salesforce import stored
    from sfexit.salesforce.login import NOT_OFFERED
    from sfexit.salesforce.origin import Origin
    from sfexit.salesforce.token_endpoint import PRODUCTION, SANDBOX, TokenEndpoint

    if method in NOT_OFFERED:
        raise SignInProblem(NOT_OFFERED[method])
    if instance_url and sandbox:
        raise UsageProblem("Give only one of --instance-url and --sandbox; each names a place.")
    _refuse_foreign(
        method, username=username, key_file=key_file, audience=audience, no_browser=no_browser
    )
    settings = settings_for(None, ca_bundle=ca_bundle)
    hosts = allowed_hosts(settings)
    app = _setting(client_id, "SFEXIT_CLIENT_ID")
    if app is None:
        raise UsageProblem(
            "Which app? Give --client-id or set SFEXIT_CLIENT_ID to the consumer key of your "
            "external client app (docs/external-client-app.md tells how to make one)."
        )
    named = _setting(instance_url, "SFEXIT_LOGIN_URL") or _setting(None, "SFEXIT_INSTANCE_URL")
    where = SANDBOX if sandbox else named or PRODUCTION
    login_at = Origin.parse(where, allow_hosts=hosts)
    store = open_store()
    if alias is not None:
        stored.check_alias(alias)
    endpoint = TokenEndpoint(login_at, allow_hosts=hosts, ca_bundle=settings.ca_bundle)
    secret = _secret(method, ask_secret)
    answer: TokenAnswer | None = None
    grant = stored.Grant(client_secret=secret)
    draft = stored.StoredOrg(
        alias=alias or "",
        key="",
        kind=method,
        place=place,
        instance_url="",
        login_url=str(login_at),
        organization_id="",
        username="",
        client_id=app,
        stored_at=stored.now(),
    )
    credential: Credential
    if method == "web":
        answer = _by_browser(endpoint, app, secret, port, timeout, no_browser)
        grant = stored.Grant(answer.refresh_token, secret)
        credential = _Fresh(answer)
    elif method == "client-credentials":
        from sfexit.salesforce.login import ClientCredentials

        assert secret is not None
        credential = ClientCredentials(endpoint, app, secret)
    else:
        draft, credential = _by_key(draft, endpoint, username, key_file, audience)
    try:
        done = _tried(draft, credential, settings.ca_bundle)
    except SfexitError:
        if answer is not None:
            _give_back(endpoint.at(answer.origin), answer)
        raise
    if method == "web":
        # Renewals go to the org's own address: an org may close the general ones.
        assert answer is not None
        from dataclasses import replace

        done = replace(
            done, login_url=done.instance_url, renewable=answer.refresh_token is not None
        )
    done = _keep(store, done, grant, answer, default, hosts, settings.ca_bundle)
    _tell(store, done, wish=place, as_json=as_json)
    return _exit.DONE


class _Fresh:
    """The session that a sign-in just brought, before anything is stored."""

    kind = "new sign-in"
    renewable = False

    def __init__(self, answer: TokenAnswer) -> None:
        self.origin: Origin = answer.origin
        self._token = answer.access_token

    def token(self) -> Secret:
        return self._token

    def renew(self, stale: Secret) -> Secret:  # noqa: ARG002 - refused when it is new: no use
        raise SignInProblem(
            "The org refuses the session that it has just given; look at the user's Login History "
            "in Setup for the reason (an IP range, or API access that the user lacks)."
        )


def _setting(option: str | None, variable: str) -> str | None:
    return (option or os.environ.get(variable, "")).strip() or None


def _refuse_foreign(
    method: str,
    *,
    username: str | None,
    key_file: Path | None,
    audience: str | None,
    no_browser: bool,
) -> None:
    """An option of another method would be ignored, which is not what its giver expects."""
    for name, value, wanted in (
        ("--username", username, "jwt"),
        ("--key-file", key_file, "jwt"),
        ("--audience", audience, "jwt"),
        ("--no-browser", no_browser or None, "web"),
    ):
        if value is not None and method != wanted:
            raise UsageProblem(f"{name} belongs to --method {wanted}, not to {method}.")


def _secret(method: str, ask: bool) -> Secret | None:
    """The app's secret, from the environment or typed unseen."""
    from sfexit.redaction import Secret

    if method == "jwt":
        return None
    text = os.environ.get("SFEXIT_CLIENT_SECRET", "").strip()
    wanted = method == "client-credentials"
    if not text and (ask or wanted):
        if not sys.stdin.isatty():
            raise UsageProblem(
                "The app's secret is needed: set SFEXIT_CLIENT_SECRET, or run this on a terminal "
                "to type it unseen."
            )
        text = click.prompt("The app's consumer secret", hide_input=True, err=True).strip()
    return Secret(text) if text else None


def _by_browser(
    endpoint: TokenEndpoint,
    client_id: str,
    secret: Secret | None,
    port: int,
    timeout: int,
    no_browser: bool,
) -> TokenAnswer:
    from sfexit.salesforce.web_login import Listener

    with Listener(port) as listener:
        attempt = listener.begin(client_id)
        url = attempt.url(endpoint.origin)
        if no_browser or not _opened(url):
            _say("Open this address in a browser on this computer:")
            click.echo(url, err=True)
        else:
            _say("Your browser opens the org's sign-in page; should it not, open this address:")
            click.echo(url, err=True)
        _say(f"Waiting for it to come back to {listener.redirect_uri} …")
        code = listener.wait(seconds=timeout)
    return attempt.exchange(endpoint, code, secret)


def _opened(url: str) -> bool:
    import webbrowser

    try:
        return webbrowser.open(url)
    except (webbrowser.Error, OSError):
        return False


def _by_key(
    draft: StoredOrg,
    endpoint: TokenEndpoint,
    username: str | None,
    key_file: Path | None,
    audience: str | None,
) -> tuple[StoredOrg, Credential]:
    from dataclasses import replace

    from sfexit.salesforce.jwt_bearer import JwtBearer

    user = _setting(username, "SFEXIT_USERNAME")
    key = _setting(str(key_file) if key_file else None, "SFEXIT_PRIVATE_KEY_FILE")
    if user is None or key is None:
        raise UsageProblem(
            "--method jwt needs the user (--username or SFEXIT_USERNAME) and the private key "
            "(--key-file or SFEXIT_PRIVATE_KEY_FILE)."
        )
    path = Path(key).absolute()  # the next command may run in another folder
    wanted = _setting(audience, "SFEXIT_JWT_AUDIENCE")
    credential = JwtBearer(endpoint, draft.client_id, user, path, audience=wanted)
    return replace(draft, username=user, key_file=str(path), audience=wanted or ""), credential


def _tried(draft: StoredOrg, credential: Credential, ca_bundle: str | None) -> StoredOrg:
    """Ask the org who and what it is: three requests, which also show that the API is open."""
    from dataclasses import replace

    from sfexit.salesforce import org
    from sfexit.salesforce.client import Client

    with Client(credential, ca_bundle=ca_bundle) as client:
        try:
            identity = org.identity(client)
            about = org.organization(client)
        except OrgRefused as refused:
            raise SignInProblem(
                f"The org signed the user in but refuses the API ({refused.code or refused.status}"
                f": {refused.reason}); the user needs the permission API Enabled, and the app the "
                "scope api."
            ) from None
        place = client.origin
    name = about.get("Name")
    return replace(
        draft,
        alias=draft.alias or ("local" if place.loopback else place.host.split(".")[0]),
        instance_url=str(place),
        organization_id=identity.organization_id,
        organization_name=name if isinstance(name, str) else "",
        # A user named for JWT is what assertions must go on naming, however the org spells it.
        username=draft.username or identity.username,
    )


def _give_back(endpoint: TokenEndpoint, answer: TokenAnswer) -> None:
    """End in the org what is not going to be stored."""
    import contextlib

    with contextlib.suppress(SfexitError):
        endpoint.revoke(answer.refresh_token or answer.access_token)


def _keep(
    store: Store,
    org: StoredOrg,
    grant: Grant,
    answer: TokenAnswer | None,
    default: bool,
    hosts: tuple[str, ...],
    ca_bundle: str | None,
) -> StoredOrg:
    """Store it, and end the sign-in that was stored under that alias before."""
    from sfexit.salesforce import stored_session
    from sfexit.salesforce.vaults import VaultTrouble

    before = next((one for one in store.orgs() if one.alias == org.alias), None)
    kept = store.add(
        org, grant, access_token=answer.access_token if answer else None, default=default
    )
    if before is not None:
        try:
            stored_session.revoke(store, before, allow_hosts=hosts, ca_bundle=ca_bundle)
        except SfexitError as problem:
            _say(
                f"The sign-in stored as {org.alias} before could not be ended in its org: {problem}"
            )
        try:
            store.remove(before)
        except VaultTrouble as trouble:
            _say(f"The key ring keeps an older entry of {org.alias} ({trouble}).")
    return kept


def _tell(store: Store, org: StoredOrg, *, wish: str, as_json: bool) -> None:
    from sfexit.commands.orgs import document_of, where

    default = store.default == org.alias
    if as_json:
        click.echo(json.dumps({"schema": SCHEMA, **document_of(org, default)}, indent=1))
    _say(f"Signed in to {org.organization_name or 'the org'} ({org.organization_id})")
    _say(f"  at    {org.instance_url}")
    _say(f"  as    {org.username or 'a user whose name cannot be read'}")
    _say(f"Stored as {org.alias}" + (", used when no org is named" if default else ""))
    _say(f"  {where(org)}")
    if org.place == "file" and wish == "keyring":
        _say(
            "  There is no usable key ring on this computer, so the secret lies unencrypted in "
            "that file, which only your account can read."
        )
    if not org.renewable:
        _say(
            "  The app gave no refresh token, so this ends with the session (two hours by "
            "default); give the app the scope refresh_token for longer runs."
        )
    _say(f"Next: sfexit export acme-exit --org {org.alias}")


def _say(text: str) -> None:
    from sfexit.redaction import printable

    # Leading blanks are layout; the rest may come from the org.
    click.echo(" " * (len(text) - len(text.lstrip())) + printable(text, 400), err=True)
