"""Acts of the contract: deadlines, seats, other systems, letters, the last gate, the bills."""

from __future__ import annotations

from datetime import date, timedelta

from sfexit.commands import _exit
from sfexit.commands.rehearsal import company
from sfexit.commands.rehearsal.stage import Stage, newest

_WINDOW = "365"  # days: the made-up records are older than the usual look back


def know_the_contract(stage: Stage, org_id: str) -> None:
    """The first act: by when, and what it costs."""
    home = stage.home
    stage.act("By when must the notice be there, and what does leaving cost?")
    (home / "contract.toml").write_text(company.contract(date.today(), org_id), "utf-8")
    page, days = home / "contract.html", home / "deadlines.ics"
    stage.run("contract", "show", home, "--html", page, "--ics", days, most=12)
    stage.made("deadlines and costs", page)
    stage.made("the deadlines for your calendar", days)


def weigh(stage: Stage) -> None:
    """Seats and other systems, from the archive alone."""
    home = stage.home
    stage.act("Which seats are used, and where could the company go?")
    page, table = home / "licenses.html", home / "licenses.csv"
    stage.run("licenses", home, "--window", _WINDOW, "--html", page, "--csv", table, most=9)
    stage.made("seats that are bought, given out and used", page)
    stage.made("all users with their evidence", table)
    page = home / "compare.html"
    stage.run("compare", home, "--html", page, most=6)
    stage.made("features in use, and a scorecard of other systems", page)


def cancel(stage: Stage) -> None:
    """The letters, now that the backup is proven; sent and confirmed."""
    home = stage.home
    stage.act("Now the letters may be written")
    stage.run(
        "cancellation", "notice", home, "--reason", "We move to another system.",
        "--language", "en", "--language", "de",
        "--confirm", f"the facts of contract {company.CONTRACT} are right", most=4,
    )  # fmt: skip
    package = newest(home / "cancellation", "2*-notice")
    stage.made("the letters: begin here", package / "guide.html")
    for letter in sorted(package.glob("*.html")):
        if letter.name != "guide.html":
            stage.made(f"letter {letter.stem}", letter)
    answer = home / "confirmation.txt"
    answer.write_text("We confirm that your contract ends. (made up)\n", "utf-8")
    stage.run("cancellation", "record", home, "sent", "--channel", "courier", "--tracking", "1Z999")
    end = company.contract_end(date.today())
    stage.run(
        "cancellation", "record", home, "confirmed", "--end-date", str(end), "--document", answer
    )


def close(stage: Stage) -> None:
    """The last gate: refused while points are open, then the final package."""
    home = stage.home
    stage.act("The last gate before the org goes")
    stage.run("cancellation", "close", home, expect=_exit.BLOCKED, most=8)
    answers = home / "answers.toml"
    stage.run("cancellation", "close", home, "--template", most=0, into=answers)
    answers.write_text(company.answers(answers.read_text("utf-8")), "utf-8")
    stage.say(f"   Somebody answers by name for each point, in {answers}:")
    stage.run("cancellation", "close", home, "--answers", answers)
    package = newest(home / "cancellation", "2*-final")
    stage.made("the final package: begin here", package / "final.html")
    stage.made("who keeps what", package / "custody.html")
    stage.made("runbook of a read-only freeze", package / "freeze-runbook.html")


def locked(stage: Stage) -> None:
    """After the end the org is locked, and says so."""
    home = stage.home
    end = company.contract_end(date.today())
    stage.act("The contract is over. Is it really?")
    stage.org.locked = True
    stage.run(
        "cancellation", "status", home, "--ask-org", "--today", str(end + timedelta(days=1)),
        most=24, expect=_exit.DONE,
    )  # fmt: skip


def bills(stage: Stage) -> None:
    """A bill with two seats too many, and where the exit stands."""
    home = stage.home
    stage.act("The next bill, and where the exit stands")
    folder = home / "statements"
    folder.mkdir()
    (folder / "INV-2041.csv").write_text(company.statement(date.today()), "utf-8")
    page = home / "bills.html"
    stage.run(
        "billing", "check", folder, "--home", home, "--html", page, "--json",
        expect=_exit.NOT_SAFE, most=9, into=home / "bills.json",
    )  # fmt: skip
    stage.made("what is wrong with the bill, and what to write", page)
    page = home / "status.html"
    stage.run("status", home, "--html", page, most=24)
    stage.made("where the exit stands", page)
