"""What commands that talk to an org share: their options, the settings, the client."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from sfexit.settings import Settings, load, override

if TYPE_CHECKING:
    from sfexit.progress import Progress
    from sfexit.salesforce.client import Client

F = TypeVar("F", bound=Callable[..., Any])


def org_options(function: F) -> F:
    """--api-version, --api-budget, --ca-bundle. The org itself comes from the environment."""
    for option in reversed(
        [
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
            click.option(
                "--ca-bundle",
                metavar="FILE",
                type=click.Path(exists=True, dir_okay=False),
                help="Certificates to trust, for a company proxy that opens TLS.",
            ),
        ]
    ):
        function = option(function)
    return function


def settings_for(home: Path | None, **options: Any) -> Settings:
    """Files, environment and options merged."""
    return override(load(home, os.environ), **options)


def open_client(
    settings: Settings,
    *,
    progress: Progress,
    stop: threading.Event,
    api_version: str | None = None,
) -> Client:
    """A read-only client for the org of the environment. `api_version` is used when none is set."""
    from sfexit.salesforce.client import Client
    from sfexit.salesforce.login import credential_from_environment

    credential = credential_from_environment(
        os.environ, allow_hosts=settings.allow_hosts, ca_bundle=settings.ca_bundle
    )
    return Client(
        credential,
        api_version=settings.api_version or api_version,
        budget_share=settings.api_budget,
        progress=progress,
        stop=stop,
        ca_bundle=settings.ca_bundle,
    )
