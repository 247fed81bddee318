"""The part of `sfexit verify-backup` that asks the org: verify, certify, and repair if asked to."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sfexit.commands._keys import own_key
from sfexit.commands._open import open_client, settings_for
from sfexit.errors import SfexitError, UsageProblem
from sfexit.settings import config_folder

if TYPE_CHECKING:
    import threading

    from sfexit.archive.signing import SigningKey
    from sfexit.progress import Progress
    from sfexit.salesforce.client import Client
    from sfexit.settings import Settings
    from sfexit.verify.offline import Options
    from sfexit.verify.whole import Whole


#: A message → the authority's answer to it. Raises SfexitError.
Stamper = Callable[[bytes], bytes]


@dataclass(frozen=True)
class Wishes:
    """What the command line says beside how to look at the archive itself."""

    sample: int
    full_values: tuple[str, ...]
    weekly: Path | None
    waivers: Path | None
    repair: bool
    deep: bool
    html: Path | None
    csv: Path | None
    pdf: Path | None
    as_json: bool
    quiet: bool


def verify_live(
    home: Path, options: Options, wishes: Wishes, *, api_version: str | None,
    api_budget: str | None, ca_bundle: str | None,
) -> tuple[Whole, Path | None]:  # fmt: skip
    """Verify against the org, publish the proof, repair if that was asked for and is of use.

    Returns the last verification and the folder of its proof.
    """
    from sfexit.archive import home as homes
    from sfexit.archive.durable import Disk
    from sfexit.archive.layout import HomeLayout
    from sfexit.commands._signals import stopping
    from sfexit.commands._terminal import progress
    from sfexit.commands._watching import watching
    from sfexit.verify import bag as bags
    from sfexit.verify.live.results import Options as LiveOptions
    from sfexit.verify.waivers import read_waivers
    from sfexit.verify.whole import diary_secret, verify

    target = bags.find_target(home)
    if wishes.repair and (target.home is None or home.resolve() != target.home.resolve()):
        raise UsageProblem("--repair makes the next archive of a home: name the home, not one bag")
    waivers = read_waivers(wishes.waivers) if wishes.waivers is not None else ()
    settings = settings_for(
        target.home, api_version=api_version, api_budget=api_budget, ca_bundle=ca_bundle
    )
    stamper = _stamper(settings)
    key = own_key()
    asked = LiveOptions(
        sample=wishes.sample,
        full_values=frozenset(wishes.full_values),
        deep=wishes.deep,
        weekly=wishes.weekly,
        secret=diary_secret(key) if key is not None else None,
    )
    made_with = bags.labels(target.bag).get("Sfexit-Api-Version") or None
    with (
        progress(quiet=wishes.quiet, verbose=False) as (watch, say),
        stopping(say) as stop,
        open_client(settings, progress=watch, stop=stop, api_version=made_with) as client,
    ):

        def look() -> Whole:
            with watching(quiet=True) as offline_watch:
                if target.home is None:
                    return verify(
                        client, home, options, asked,
                        waivers=waivers, watch=offline_watch, progress=watch, stop=stop,
                    )  # fmt: skip
                with homes.locked(HomeLayout(target.home), Disk()):
                    return verify(
                        client, home, options, asked,
                        waivers=waivers, watch=offline_watch, progress=watch, stop=stop,
                    )  # fmt: skip

        whole = look()
        proof = publish(whole, key, stamper, pdf=wishes.pdf is not None, say_no=say)
        failed = (*whole.altered, *whole.differs, *whole.unfinished)
        if wishes.repair and target.home is not None and any(failed):
            _repair(client, target.home, whole, settings, watch, stop, say)
            whole = look()
            proof = publish(whole, key, stamper, pdf=wishes.pdf is not None, say_no=say)
    return whole, proof


def _stamper(settings: Settings) -> Stamper | None:
    """What gets a time stamp for a message; None where no authority is set. Raises UsageProblem
    for what could not work, before the org is asked."""
    if settings.stamp_url is None:
        return None
    from sfexit.verify.timestamp import ready, time_stamp

    if settings.stamp_roots is None:
        raise UsageProblem(
            "[proof] time_stamp needs time_stamp_roots beside it: a PEM file with the root "
            "certificates of the authority"
        )
    url, roots = settings.stamp_url, Path(settings.stamp_roots)
    ready(url, roots)
    return lambda message: time_stamp(message, url, roots, ca_bundle=settings.ca_bundle)[0]


def publish(
    whole: Whole,
    key: SigningKey | None,
    stamper: Stamper | None = None,
    *,
    pdf: bool = False,
    say_no: Callable[[str], object],
) -> Path | None:
    """Sign and publish the certificate; None, with the reason said, where that cannot be."""
    from sfexit.reports import findings
    from sfexit.reports import live as report
    from sfexit.verify.certificate import NAME, issue
    from sfexit.verify.whole import certificate

    home = whole.offline.home
    if home is None:
        say_no("No certificate was made: the archive lies in no home.")
        return None
    statement = certificate(whole, home)
    if statement is None:
        return None
    if key is None:
        say_no("No certificate was made: there is no signing key here, the one that sealed it has.")
        return None
    others = {
        "report.json": (json.dumps(report.document(whole, None), indent=1) + "\n").encode(),
        "report.html": report.page(whole).encode(),
        "findings.csv": findings.as_csv(whole.judgement),
    }
    if pdf:
        others["report.pdf"] = report.pdf(whole)
    if stamper is not None:
        from sfexit.verify.timestamp import SUFFIX

        try:
            others[NAME + SUFFIX] = stamper(statement.to_bytes())
        except SfexitError as error:
            say_no(f"The certificate has no time stamp: {error.message}.")
    try:
        return issue(home, statement, key, others)
    except SfexitError as error:
        say_no(f"No certificate was made: {error.message}.")
        return None


def _repair(
    client: Client,
    home: Path,
    whole: Whole,
    settings: Settings,
    watch: Progress,
    stop: threading.Event,
    say: Callable[[str], object],
) -> None:
    """The next archive of the home, in which what failed was fetched again.

    Records that are missing, extra or stale, and what failed or was left out, are brought by a
    refresh, which fetches those and takes the rest over; for altered values and bodies everything
    is read anew.
    """
    from sfexit.archive import signing
    from sfexit.export.plan import Selection
    from sfexit.export.run import export

    what = ", ".join(
        filter(None, dict.fromkeys((*whole.altered, *whole.differs, *whole.unfinished)))
    )
    say(f"Repairing: the next archive is made, because of {what[:200]}")
    export(
        client,
        home,
        key=lambda: signing.load_or_create(config_folder(os.environ)),
        selection=Selection(frozenset(settings.objects), frozenset(settings.exclude)),
        # What comparing ids and stamps does not show, a refresh would take over as it is.
        anew=bool(whole.altered),
        refresh=not whole.altered,
        progress=watch,
        stop=stop,
    )
