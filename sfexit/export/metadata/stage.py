"""The stage that takes the org's metadata: list, plan, retrieve, index."""

from __future__ import annotations

import csv
import io
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from sfexit.archive import layout
from sfexit.archive.durable import written_anew
from sfexit.archive.ledger import LedgerLine
from sfexit.archive.page import csv_rows
from sfexit.catalog import ObjectEntry
from sfexit.errors import Interrupted, Transient
from sfexit.export import plan as roads
from sfexit.export.means import Means
from sfexit.export.metadata import index, packages, retrieving
from sfexit.export.metadata.listing import Listed, custom_objects, list_all
from sfexit.export.metadata.packages import FAILED, SPLIT, Package, Told
from sfexit.export.metadata.retrieving import Retrieving, package_path
from sfexit.export.stage import Stage
from sfexit.salesforce.object_rules import rule_for

AT_ONCE = 3  # retrieves: each makes the org work for minutes
# How often one package is divided: 13 divisions find one component among 5,000 that the org cannot
# pack. Where ZIPs arrive damaged again and again, the way is more likely to blame than a component;
# where retrieves do not end, the org is, and each is waited for a long time.
_DIVISIONS = 64
_COST = {packages.SIZE: 0, packages.FAULT: 1, packages.DAMAGE: 16, packages.SLOW: 64}


class Metadata(Stage):
    """Metadata packages as received, and what became of every component."""

    def __init__(self, means: Means) -> None:
        super().__init__(means)
        self._halted = threading.Event()
        self.summary = index.Summary()  # the figures of the index, once taken

    def resume(self) -> None:
        """What could not be listed or retrieved gets a new chance."""
        listed = self._stored_list()
        if listed is None:
            return
        if listed.refused or listed.not_listed:
            self._forget(layout.METADATA_LIST)
        for package, told in packages.all_leaves(self._plan(listed), self._known(listed)):
            if told.outcome == FAILED:
                self._forget(package_path(package.name, "json"))

    def take(self) -> None:
        means = self.means
        means.tally.phase("Retrieving metadata")
        if means.selection.objects:
            self._publish_index(index.nothing("left_out", roads.NOT_NAMED))
            return
        listed = self._stored_list()
        if listed is None:
            listed = list_all(means.client, means.go_on, self._insist_on_org)
            means.publish_json(layout.METADATA_LIST, listed.as_json())
        if listed.refused:
            means.tally.note(f"No metadata: {listed.refused}")
        plan = self._plan(listed)
        told = self._retrieve_all(listed, plan)
        self._forget_others(set(told))
        self._publish_index(index.lines(listed, plan, told))

    def named(self) -> set[str]:
        """Custom objects of the org's metadata: another list of objects, with its own eyes."""
        listed = self._stored_list()
        if listed is None:
            return set()
        return custom_objects(listed.components)

    def ledger(self, lines: tuple[LedgerLine, ...]) -> tuple[LedgerLine, ...]:
        """Objects whose content the metadata hold are covered only if there are any; objects that
        only the metadata name are hidden from this user."""
        known = {line.object for line in lines}
        lines += tuple(map(_hidden, sorted(self.named() - known)))
        summary = self.summary
        if set(summary.outcomes) - {"failed", "left_out"}:
            return lines
        why = summary.gaps[0][0] if summary.gaps else "the org lists none"
        remedy = index.WITH_RIGHT if index.WITH_RIGHT in why else index.AGAIN
        if "left_out" in summary.outcomes:
            remedy = "export again without that choice"
        return tuple(self._not_covered(line, why, remedy) for line in lines)

    @staticmethod
    def _not_covered(line: LedgerLine, why: str, remedy: str) -> LedgerLine:
        rule = rule_for(ObjectEntry(line.object, line.label))
        if line.outcome != "covered" or rule is None or rule.kind != "by_metadata":
            return line
        return replace(
            line,
            outcome="not_exported",
            reason="part of the org's configuration, and the metadata were not taken: "
            + why.removesuffix(f"; {remedy}"),
            remedy=remedy,
        )

    # ---- what is known ----------------------------------------------------------------------

    def _stored_list(self) -> Listed | None:
        document = self.means.stored_json(layout.METADATA_LIST)
        if document is None:
            return None
        try:
            return Listed.from_json(document)
        except (ValueError, KeyError, TypeError):
            return None  # of another version of sfexit

    def _plan(self, listed: Listed) -> list[Package]:
        return packages.plan(listed, self.means.tuning.metadata_weight)

    def _known(self, listed: Listed) -> dict[str, Told]:
        """What earlier runs did."""
        found: dict[str, Told] = {}
        waiting = self._plan(listed)
        while waiting:
            package = waiting.pop()
            told = retrieving.stored(self.means, package)
            if told is not None:
                found[package.name] = told
                waiting += package.halves() if told.outcome == SPLIT else ()
        return found

    def _publish_index(self, lines: Sequence[index.Line]) -> None:
        data = csv_rows(index.rows(lines))
        told = csv.DictReader(io.StringIO(data.decode("utf-8"), newline=""))
        self.summary = index.summary(told)
        if self.means.stored(layout.METADATA_INDEX) != data:
            self.means.publish(layout.METADATA_INDEX, data)

    def _forget(self, relative: str) -> None:
        self.means.journal.record("file_lost", path=relative)
        self.means.disk.remove(layout.within(self.means.bag, relative))

    def _forget_others(self, names: set[str]) -> None:
        """Packages of a plan that was made from another list."""
        prefix = f"{layout.METADATA_PACKAGES}/"
        for row in self.means.journal.rows(
            "SELECT path FROM file WHERE path GLOB ?", (f"{prefix}*",)
        ):
            name = row["path"].removeprefix(prefix).rpartition(".")[0]
            if name not in names:
                self._forget(row["path"])

    # ---- retrieving -------------------------------------------------------------------------

    def _retrieve_all(self, listed: Listed, plan: Sequence[Package]) -> dict[str, Told]:
        folders = {one.folder_type: one.name for one in listed.types if one.in_folder}
        taking = Retrieving(self.means, folders)
        told: dict[str, Told] = {}
        with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="metadata") as pool:
            futures = [pool.submit(self._settle, taking, package, told) for package in plan]
            for future in futures:
                try:
                    future.result()
                except BaseException:
                    self._halted.set()
                    for other in futures:
                        other.cancel()
                    raise
        return told

    def _settle(self, taking: Retrieving, package: Package, told: dict[str, Told]) -> None:
        """Bring a package, and the parts it has to be divided into, to an end."""
        left = _DIVISIONS
        waiting = [package]
        while waiting:
            self.means.go_on()
            if self._halted.is_set():
                raise Interrupted("the run was asked to stop")
            one = waiting.pop()
            outcome = retrieving.stored(self.means, one)
            if outcome is None:
                outcome = self._take(taking, one)
                if outcome.outcome == SPLIT and left < _COST[outcome.cause]:
                    outcome = replace(outcome, outcome=FAILED)
                self.means.publish_json(package_path(one.name, "json"), outcome.as_json(one))
                if outcome.outcome != packages.RETRIEVED:
                    self.means.tally.note(
                        f"Metadata package {one.name} ({len(one.wanted):,} components): "
                        f"{outcome.reason}"
                    )
            told[one.name] = outcome
            if outcome.outcome == SPLIT:
                left -= _COST[outcome.cause]
                waiting += reversed(one.halves())

    def _take(self, taking: Retrieving, package: Package) -> Told:
        try:
            return written_anew(lambda: taking.take(package), self.means.tally.note)
        except Transient as fault:
            self._insist_on_org(fault)
            kind = SPLIT if package.halves() else FAILED
            return Told(kind, fault.message, packages.DAMAGE)


def _hidden(name: str) -> LedgerLine:
    return LedgerLine(
        name,
        name,
        "not_exported",
        reason="hidden from this user",
        evidence="the Metadata API lists it (listMetadata, CustomObject); describeGlobal and "
        "EntityDefinition do not",
        remedy="give the user View All Data, or Read on the object in a permission set; then "
        "export again into a new bag (`sfexit export HOME --anew`)",
    )
