"""The papers of the made-up company: contract, bill, waiver, answers for the last gate."""

from __future__ import annotations

import csv
import io
import json
from datetime import date, timedelta
from decimal import Decimal

CONTRACT = "00420815"
_SEATS = 20
_PRICE = Decimal(150)

ADMINISTRATOR = "A. Demo"


def contract_end(today: date) -> date:
    """The last day of service: a month's end that leaves time for the notice."""
    later = (today + timedelta(days=150)).replace(day=1)
    return later - timedelta(days=1)


def contract(today: date, org_id: str) -> str:
    """contract.toml."""
    end = contract_end(today)
    start = (end + timedelta(days=1)).replace(year=end.year - 1)
    return f"""\
# The contract of a company that does not exist.
[contract]
number = "{CONTRACT}"
orders = ["Q-0987654"]
customer = "Northwater Trading GmbH"
customer_address = "Beispielweg 1, 10115 Berlin, Germany"
vendor = "salesforce.com Germany GmbH"
org_id = "{org_id}"
my_domain = "northwater.my.salesforce.com"
start = {start}
end = {end}
renewal = "auto"
sold_by = "account_executive"
currency = "EUR"
uplift_cap_percent = 7
signatory = "Erika Mustermann"
signatory_title = "Managing Director"
contact_email = "it@northwater.example"

[notice]
count = 30
unit = "days"
clause = "MSA 11.2"
forms = ["courier", "portal"]

[[notice.addressees]]
role = "legal"
name = "Legal Department"
address = "Musterstraße 2, 80331 München, Germany"

[[notice.addressees]]
role = "account_executive"
name = "B. Beispiel"
email = "ae@vendor.example"

[early_termination]
type = "remaining_fees"
clause = "MSA 5.1"

[law]
customer_country = "DE"
packs = ["eu-data-act"]

[[lines]]
product = "Sales Cloud Enterprise"
quantity = {_SEATS}
unit_price = "{_PRICE}"
per = "month"
keep = 12

[[separate_contracts]]
vendor = "Example Apps Inc."
product = "Example Sign"
notice = "60 days, by e-mail to the vendor"
"""


def statement(today: date) -> str:
    """A statement of account as CSV: two seats too many are billed, and it is added up wrongly."""
    end = contract_end(today)
    start = (end + timedelta(days=1)).replace(year=end.year - 1)
    net = (_SEATS + 2) * _PRICE * 12
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(
        ["Invoice Number", "Contract Number", "Invoice Date", "Due Date", "Currency", "Product",
         "Quantity", "Unit Price", "Service Start", "Service End", "Net Amount", "Tax",
         "Total Amount"]
    )  # fmt: skip
    writer.writerow(
        ["INV-2041", CONTRACT, start, start + timedelta(days=30), "EUR", "Sales Cloud Enterprise",
         _SEATS + 2, f"{_PRICE:.2f}", start, end, f"{net:.2f}", f"{net * 19 / 100:.2f}",
         f"{net * 119 / 100:.2f}"]
    )  # fmt: skip
    return out.getvalue()


def waivers(findings: dict[str, str]) -> str:
    """Findings that a person accepts by name: key of the finding to the reason."""
    return "".join(
        "[[waiver]]\n"
        f"finding = {json.dumps(key)}\nreason = {json.dumps(reason)}\n"
        f"person = {json.dumps(ADMINISTRATOR)}\n"
        for key, reason in findings.items()
    )


def answers(template: str) -> str:
    """The template of `cancellation close --template`, with each place and point answered for."""
    lines = []
    for line in template.splitlines():
        key, equals, value = line.partition(" = ")
        if equals and value.startswith('""') and key not in _CUSTODY and key != "offboarding":
            line = f'{key} = "{ADMINISTRATOR}: looked at in the rehearsal, nothing is there"'
        lines.append(_CUSTODY.get(key, line) if equals else line)
    return "\n".join(lines) + "\n"


_CUSTODY = {
    "copies": 'copies = ["Safe of the Berlin office, E. Mustermann", "Vault of the bank"]',
    "keys": 'keys = ["Signing key: thrown away after the rehearsal"]',
    "successor": f'successor = "{ADMINISTRATOR}"',
    "retention": 'retention = "Ten years, as for books of account"',
    "erasure": 'erasure = "E. Mustermann, by shredding the disks"',
}
