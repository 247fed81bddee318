"""Every page that sfexit writes, opened in a browser: no script error, no remote request, nothing
wider than the window, and a hostile name stays text.

Needs a Chromium or Chrome and `pip install 'sfexit[browser]'`; skips where one is missing.
"""

from __future__ import annotations

import csv
import io
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sfexit.commands import main
from sfexit.reports import demo as demo_page
from sfexit.reports import offboarding as plan_page
from sfexit.simulated_org import SimulatedOrg, serve
from sfexit.simulated_org.catalogue import standard_objects
from tests.cancellation import samples
from tests.cancellation.test_close import answers
from tests.licenses.made_bag import login, make_bag, user
from tests.reports.test_offboarding import evil_plan

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

HOSTILE = "<img src=https://evil.example/x onerror=alert(1)><script>alert(2)</script>\"'&"
LONG = f"{HOSTILE} شركة الأمل {'W' * 300}"
_BROWSERS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
_OBJECTS = {"Organization", "User", "Profile", "Account", "Contact"}

#: What is written, and whether the hostile name must be seen there.
PAGES = {
    "assess": True, "dictionary": True, "verify": True, "offline": True, "plan": False,
    "licenses": True, "compare": True, "contract": True, "status": True, "bills": True,
    "guide": True, "non-renewal.en": True, "non-renewal.ar": True, "switching-notice.ar": True,
    "final": True, "custody": False, "freeze-runbook": False, "demo": True,
}  # fmt: skip


#: The width of A4 between margins of 1 cm, in CSS pixels.
PAPER = 718
#: The page, or the tables and plots in it, that are wider than the room they have.
CUT = """[document.documentElement, ...document.querySelectorAll('.wide')]
    .filter(one => one.scrollWidth > one.clientWidth)
    .map(one => one.innerText.slice(0, 200))"""


def sfexit(*words: object, codes: tuple[int, ...] = (0,)) -> None:
    assert main.run([str(one) for one in words]) in codes


def from_an_org(folder: Path, patch: pytest.MonkeyPatch) -> dict[str, Path]:
    """Pages of an org whose company has the hostile name."""
    org = SimulatedOrg(rows=60, objects=[o for o in standard_objects() if o.name in _OBJECTS])
    org.give_values("Organization", [0], {"Name": HOSTILE})
    home = folder / "home"
    with serve(org) as server:
        patch.setenv("SFEXIT_INSTANCE_URL", server.url)
        patch.setenv("SFEXIT_ACCESS_TOKEN", org.access_token)
        sfexit("assess", home, "--html", folder / "assess.html", "-q")
        sfexit("export", home, "-q")
        sfexit("verify-backup", home, "--html", folder / "verify.html", "-q", codes=(0, 8, 12))
    sfexit("verify-backup", home, "--offline", "--html", folder / "offline.html", "-q")
    dictionary = home / "bags/0001/data/schema/dictionary.html"
    return {"dictionary": dictionary} | {
        name: folder / f"{name}.html" for name in ("assess", "verify", "offline")
    }


def from_papers(folder: Path) -> dict[str, Path]:
    """Pages of a contract whose customer has the hostile name."""
    name = json.dumps(LONG)[1:-1]
    home = samples.proven(samples.with_contract(folder / "papers", **{"Acme GmbH": name}))
    bill = folder / "bill.csv"
    out = io.StringIO()
    csv.writer(out).writerows(
        [
            ("Invoice Number", "Invoice Date", "Product", "Quantity", "Net", "Currency"),
            ("INV-1", "2030-05-13", LONG, "2", "200.00", "EUR"),
        ]
    )
    bill.write_text(out.getvalue(), "utf-8")
    day = ("--today", "2030-11-22")
    sfexit("contract", "show", home, "--html", folder / "contract.html", "-q", *day)
    page = folder / "bills.html"
    sfexit("billing", "check", bill, "--home", home, "--html", page, "-q", *day, codes=(8,))
    languages = ("--language", "en", "--language", "ar")
    assert samples.notice(home, "--confirm", samples.RIGHT, *languages, "-q")[0] == 0
    given = answers(folder / "a.toml")
    sfexit("cancellation", "close", home, "--answers", given, "--offline", "-q", *day)
    sfexit("status", home, "--html", folder / "status.html", "-q", *day)
    found = {name: folder / f"{name}.html" for name in ("contract", "bills", "status")}
    for package in (samples.only_package(home), samples.only_package(home, "final")):
        found |= {one.name.removesuffix(".html"): one for one in package.glob("*.html")}
    return found


def from_a_bag(folder: Path) -> dict[str, Path]:
    """Licences and comparison of an archive in which a user and a table have the hostile name."""
    bag = make_bag(
        folder / "bag",
        {
            "Organization": [{"Name": "Acme", "OrganizationType": "Enterprise Edition"}],
            "UserLicense": [{"Id": "100full", "Name": "Salesforce", "Status": "Active",
                             "TotalLicenses": "3", "UsedLicenses": "2"}],
            "Profile": [{"Id": "00eFull", "UserLicenseId": "100full"}],
            "User": [user(1), user(2, Name=LONG, LastLoginDate="2026-03-01T00:00:00.000Z")],
            "LoginHistory": [login(1)],
        },
        **{"ledger.csv": f'object,rows\n"{LONG.replace(chr(34), chr(34) * 2)}__c",5\n'},
    )  # fmt: skip
    sfexit("licenses", bag, "--html", folder / "licenses.html", "-q")
    sfexit("compare", bag, "--html", folder / "compare.html", "-q")
    return {name: folder / f"{name}.html" for name in ("licenses", "compare")}


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("pages")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SFEXIT_CONFIG_DIR", str(folder / "settings"))
        found = from_an_org(folder, patch) | from_papers(folder) | from_a_bag(folder)
    act = demo_page.Act(LONG, (), ((LONG, "a.html"),), (LONG,), (LONG,))
    for name, text in (
        ("plan", plan_page.page(evil_plan(), Path("plan.json"))),
        ("demo", demo_page.page([act], 1)),
    ):
        found[name] = folder / f"{name}.html"
        found[name].write_text(text, "utf-8")
    return found


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    program = next((path for path in map(shutil.which, _BROWSERS) if path), None)
    with sync_api.sync_playwright() as player:
        try:
            opened = player.chromium.launch(
                executable_path=program, args=["--no-sandbox", "--disable-gpu"]
            )
        except sync_api.Error as error:
            pytest.skip(f"no Chromium here: {str(error).splitlines()[0]}")
        yield opened
        opened.close()


@pytest.mark.parametrize("name", PAGES)
def test_the_page_is_harmless_and_fits(name: str, pages: dict[str, Path], browser: Any) -> None:
    view = browser.new_page(viewport={"width": 1100, "height": 900})
    wrong: list[str] = []
    address = pages[name].as_uri()
    view.on("pageerror", lambda error: wrong.append(f"script error: {error}"))
    view.on("console", lambda line: wrong.append(f"console: {line.text}"))
    view.on("dialog", lambda dialog: (wrong.append("a dialog opened"), dialog.dismiss()))
    view.on(
        "request",
        lambda asked: asked.url == address or wrong.append(f"asked for {asked.url}"),
    )
    view.goto(address)
    assert wrong == []
    assert view.locator("script, img, iframe, object, link").count() == 0
    text = " ".join(view.locator("body").inner_text().split())
    if PAGES[name]:
        assert HOSTILE[:50] in text, text[:500]  # some pages shorten long names
    assert view.evaluate(CUT) == []
    view.emulate_media(media="print")
    view.set_viewport_size({"width": PAPER, "height": 1000})
    assert view.evaluate(CUT) == []
    view.emulate_media(media="screen")
    view.set_viewport_size({"width": 600, "height": 900})
    width = view.evaluate("document.documentElement.scrollWidth")
    assert width <= 600, f"{name} is {width} wide in a small window"
    turned = view.evaluate("getComputedStyle(document.body).direction")
    assert turned == ("rtl" if name.endswith(".ar") else "ltr")
    view.close()


def test_every_page_is_opened(pages: dict[str, Path]) -> None:
    assert set(PAGES) <= set(pages)
    assert set(pages) - set(PAGES) == {"switching-notice.en"}
