"""What commands that talk to an org share: their options, the settings, the client."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from sfexit.errors import SignInProblem, UsageProblem
from sfexit.settings import Settings, config_folder, load, override

if TYPE_CHECKING:
    from sfexit.progress import Progress
    from sfexit.salesforce.client import Client
    from sfexit.salesforce.credential import Credential
    from sfexit.salesforce.stored import Store

F = TypeVar("F", bound=Callable[..., Any])

_CHOSEN = "sfexit.org"  # in the context: {"--org": alias} or {"--sf-cli": alias}


def _remember(ctx: click.Context, param: click.Parameter, value: str | None) -> None:
    """Which org is meant travels in the context: commands themselves have no use for it."""
    if value is not None:
        ctx.meta.setdefault(_CHOSEN, {})[param.opts[0]] = value


def org_options(function: F) -> F:
    """--org, --sf-cli, --api-version, --api-budget, --ca-bundle."""
    for option in reversed(
        [
            click.option(
                "--org",
                metavar="ALIAS",
                expose_value=False,
                callback=_remember,
                help="The org stored as ALIAS by sfexit login (sfexit orgs lists them).",
            ),
            click.option(
                "--sf-cli",
                metavar="ALIAS",
                expose_value=False,
                callback=_remember,
                help="The org that the Salesforce CLI (sf) is signed in to as ALIAS.",
            ),
            click.option(
                "--api-version",
                metavar="NN.0",
                help="Use this API version for the whole archive "
                "(default: the newest one that the org lists and sfexit is tested with).",
            ),
            click.option(
                "--api-budget",
                metavar="SHARE",
                help="Share of the API calls left today that this run may use "
                "(default: 50%); then it pauses.",
            ),
            ca_bundle_option,
        ]
    ):
        function = option(function)
    return function


def ca_bundle_option(function: F) -> F:
    """--ca-bundle."""
    return click.option(
        "--ca-bundle",
        metavar="FILE",
        type=click.Path(exists=True),
        help="Certificates to trust, for a company proxy that opens TLS.",
    )(function)


def settings_for(home: Path | None, **options: Any) -> Settings:
    """Files, environment and options merged."""
    settings = override(load(home, os.environ), **options)
    if settings.ca_bundle is not None:
        from sfexit.salesforce.transport import check_ca_bundle

        check_ca_bundle(settings.ca_bundle)
    return settings


def open_store() -> Store:
    """The stored sign-ins of this user."""
    from sfexit.salesforce.stored import Store

    return Store(config_folder(os.environ))


def allowed_hosts(settings: Settings) -> tuple[str, ...]:
    """Hosts besides Salesforce's that the administrator vouches for."""
    from sfexit.salesforce.login import allowed_hosts

    return (*settings.allow_hosts, *allowed_hosts(os.environ))


def open_credential(settings: Settings) -> Credential:
    """The sign-in that is meant: --org, --sf-cli, the environment, or the default stored org.

    The options say it aloud, so they win over the environment; the environment, set for this
    shell or job, wins over the default that was once stored. Raises UsageProblem, SignInProblem.
    """
    from sfexit.salesforce.login import credential_from_environment, names_an_org

    context = click.get_current_context(silent=True)
    chosen: dict[str, str] = context.meta.get(_CHOSEN, {}) if context is not None else {}
    if len(chosen) > 1:
        raise UsageProblem("Give only one of --org and --sf-cli; each names an org.")
    hosts = allowed_hosts(settings)
    if "--sf-cli" in chosen:
        from sfexit.salesforce.cli_session import CliSession

        return CliSession(chosen["--sf-cli"], allow_hosts=hosts)
    if "--org" in chosen or not names_an_org(os.environ):
        from sfexit.salesforce import stored_session

        store = open_store()
        alias = chosen.get("--org", store.default)
        if alias is not None:
            return stored_session.credential(
                store, store.find(alias), allow_hosts=hosts, ca_bundle=settings.ca_bundle
            )
        if store.orgs():
            raise SignInProblem(
                "Several orgs are stored and none is the default; name one with --org (sfexit "
                "orgs lists them)."
            )
    try:
        return credential_from_environment(
            os.environ, allow_hosts=settings.allow_hosts, ca_bundle=settings.ca_bundle
        )
    except SignInProblem as problem:
        if names_an_org(os.environ):
            raise
        raise SignInProblem(
            f"{problem.message} Or sign in once with sfexit login, or name an org of the "
            "Salesforce CLI with --sf-cli."
        ) from None


def open_client(
    settings: Settings,
    *,
    progress: Progress,
    stop: threading.Event,
    api_version: str | None = None,
    writable: bool = False,
) -> Client:
    """A client for the org that is meant, for reading unless `writable`.

    `api_version` is used when none is set.
    """
    from sfexit.salesforce.client import Client

    return Client(
        open_credential(settings),
        api_version=settings.api_version or api_version,
        budget_share=settings.api_budget,
        progress=progress,
        stop=stop,
        ca_bundle=settings.ca_bundle,
        writable=writable,
    )
