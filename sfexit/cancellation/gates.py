"""The exit as gates in their order: what is closed, by which evidence, and what opens the way.

A gate is *closed* when its step is done, as in a lock that a ship has passed; an *open* one is
still to be done. Pure: everything comes from a `Situation`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from sfexit.cancellation.ladder import reminders
from sfexit.cancellation.situation import Situation

CLOSED, OPEN, WAIVED = "closed", "open", "waived"
#: The gates that stand before a notice; the others come after it.
BEFORE_NOTICE = ("contract", "export", "verify")
_BILLS_DAYS = 60  # a final invoice that has not come by then is asked for


@dataclass(frozen=True)
class Gate:
    """A step of the exit. `due` is the day by which it must close, None when nothing tells it."""

    key: str
    title: str
    state: str
    evidence: str
    action: str
    due: date | None
    days_left: int | None

    @property
    def late(self) -> bool:
        """Open after its day."""
        return self.state == OPEN and self.days_left is not None and self.days_left < 0


def gates(told: Situation) -> tuple[Gate, ...]:
    """All gates, in the order of an exit."""
    make = _Maker(told)
    return (
        make.contract(),
        make.assess(),
        make.export(),
        make.verify(),
        make.offboard(),
        make.cancel(),
        make.confirm(),
        make.bills(),
    )


def before_notice(told: Situation) -> tuple[Gate, ...]:
    """The open gates that keep a notice back."""
    return tuple(one for one in gates(told) if one.key in BEFORE_NOTICE and one.state == OPEN)


def send_by(told: Situation) -> date | None:
    """The day by which the notice must leave: for a letter, so that it arrives in time."""
    if told.outlook is None:
        return None
    days = {one.kind: one for one in told.outlook.days}
    return (days.get("notice_posted") or days["notice_hard"]).day


class _Maker:
    def __init__(self, told: Situation) -> None:
        self._told = told
        self._home = told.home
        self._send = send_by(told)

    def _gate(
        self, key: str, title: str, closed: bool, evidence: str, action: str, due: date | None
    ) -> Gate:
        left = (due - self._told.today).days if due is not None else None
        state = CLOSED if closed else OPEN
        return Gate(key, title, state, evidence, "" if closed else action, due, left)

    def _day(self, kind: str) -> date | None:
        return None if self._told.outlook is None else self._told.outlook.day(kind).day

    def contract(self) -> Gate:
        told = self._told.contract
        evidence = (
            f"contract {told.number}, ends {told.end}" if told else self._told.contract_problem
        )
        action = f"sfexit contract init {self._home}, then sfexit contract {self._home}"
        return self._gate(
            "contract", "Contract known", told is not None, evidence, action, self._send
        )

    def assess(self) -> Gate:
        told = self._told
        looked = told.archive is not None and told.archive.looked
        evidence = (
            f"the archive {told.archive.generation:04d} holds what its user could see"
            if told.archive is not None and looked
            else "assessment.json lies in the home"
            if told.assessment
            else "nobody has looked yet"
        )
        return self._gate(
            "assess",
            "Org looked at",
            looked or told.assessment,
            evidence,
            f"sfexit assess --json > {self._home / 'assessment.json'}",
            self._send,
        )

    def export(self) -> Gate:
        told = self._told
        if told.archive is not None:
            evidence = f"archive {told.archive.generation:04d}, sealed {told.archive.sealed}"
        else:
            evidence = "an export is under way" if told.exporting else told.archive_problem
        return self._gate(
            "export",
            "Everything exported",
            told.archive is not None,
            evidence,
            f"sfexit export {self._home}",
            self._before_sending("export_finished"),
        )

    def verify(self) -> Gate:
        told = self._told.standing
        evidence = (
            f"{told.certificate.title}, holds until {told.certificate.expires:%Y-%m-%d %H:%M} UTC"
            if told is not None
            else self._told.standing_problem
        )
        return self._gate(
            "verify",
            "Backup proven complete",
            told is not None,
            evidence,
            f"sfexit verify-backup {self._home}",
            self._before_sending("export_finished"),
        )

    def offboard(self) -> Gate:
        told = self._told.offboarding
        gate = self._gate(
            "offboard",
            "Users and administrators offboarded",
            told.done,
            told.evidence,
            f"sfexit offboard-users plan {self._home} USERNAME",
            self._day("contract_ends"),
        )
        waiver = self._told.last("waived") and next(
            (
                one
                for one in reversed(self._told.records)
                if one.event == "waived" and one.data.get("item") == "offboarding"
            ),
            None,
        )
        if told.done or waiver is None:
            return gate
        said = f"waived by {waiver.data.get('person')}: {waiver.data.get('said')}"
        return Gate(gate.key, gate.title, WAIVED, said, "", gate.due, gate.days_left)

    def cancel(self) -> Gate:
        told = self._told
        sent, prepared = told.last("sent"), told.last("prepared")
        action = f"sfexit cancellation notice {self._home} --reason …"
        evidence = "no letter yet"
        if sent is not None:
            evidence = f"sent {sent.data['date']} by {sent.data['channel']}"
            if sent.data.get("tracking"):
                evidence += f", tracking {sent.data['tracking']}"
        elif prepared is not None:
            evidence = f"letters written ({prepared.data['package']}), not sent"
            action = f"send them, then sfexit cancellation record {self._home} sent"
        override = told.last("override")
        if override is not None:
            evidence += f"; without a proven backup: {override.data['reason']}"
        return self._gate("cancel", "Notice sent", sent is not None, evidence, action, self._send)

    def confirm(self) -> Gate:
        told = self._told
        answer = next(
            (
                one
                for one in reversed(told.records)
                if one.event in ("sent", "confirmed", "refused")
            ),
            None,
        )
        action = f"sfexit cancellation record {self._home} confirmed"
        due = self._day("notice_hard")
        evidence = "nothing was sent yet"
        if answer is None:
            return self._gate("confirm", "Cancellation confirmed", False, evidence, action, due)
        evidence = f"{answer.event} {answer.data['date']}"
        if answer.event == "refused":
            because = str(answer.data.get("because", ""))
            evidence += f": {because}"
            action = refusal_action(because, str(self._home))
        elif answer.event == "sent" and told.contract is not None:
            steps = reminders(told.records, told.contract, told.today)
            ahead = [one for one in steps if not one.due]
            pending = [one for one in steps if one.due]
            if pending:
                action = f"now: {pending[-1].action}"
            elif ahead:
                action = f"if no answer by {ahead[0].day}: {ahead[0].action}"
                due = ahead[0].day
        return self._gate(
            "confirm",
            "Cancellation confirmed",
            answer.event == "confirmed",
            evidence,
            action,
            due,
        )

    def bills(self) -> Gate:
        told = self._told
        end = told.contract.end if told.contract else None
        due = end + timedelta(days=_BILLS_DAYS) if end else None
        checked = told.bills
        past = end is not None and told.today > end
        evidence = "bills.json lies in the home" if checked else "no statement was checked yet"
        if not past and end is not None:
            evidence += f"; the last ones come after {end}"
        return self._gate(
            "bills",
            "Final statements right",
            checked and past,
            evidence,
            f"sfexit billing check STATEMENTS --home {told.home} --json > "
            f"{told.home / 'bills.json'}",
            due,
        )

    def _before_sending(self, kind: str) -> date | None:
        day = self._day(kind)
        return min(self._send, day) if self._send and day else day


def refusal_action(because: str, home: str) -> str:
    """What to do when the supplier says no."""
    if because == "backup-incomplete":
        return (
            f"prove the backup: sfexit verify-backup {home} --repair, then send the notice again "
            "(a supplier has no say in your backup: ask for the clause)"
        )
    if because == "too-late":
        return (
            f"sfexit contract {home} lists what is left; ask in writing for an exception, and "
            "have counsel check"
        )
    if because == "wrong-addressee":
        return "send it again to the address that the contract names for notices, by courier"
    return "ask in writing for the clause that the refusal rests on, and have counsel check"
