"""A bag as far as these commands read one, written by hand."""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

Table = Sequence[Mapping[str, object]]


def make_bag(root: Path, tables: Mapping[str, Table], **files: str) -> Path:
    """A home with one bag of these tables; `files` are written below `data/`."""
    bag = root / "bags/0001"
    (bag / "data").mkdir(parents=True)
    (bag / "bag-info.txt").write_text(
        "Bagging-Date: 2026-11-22\nSfexit-Archive-Format: sfexit-archive/1\n"
    )
    (bag / "tagmanifest-sha256.txt").write_text("")
    resources = []
    for name, rows in tables.items():
        columns = list(dict.fromkeys(key for row in rows for key in row))
        path = f"records/{name}/{name}.csv.gz"
        (bag / "data" / path).parent.mkdir(parents=True)
        with gzip.open(bag / "data" / path, "wt", newline="", encoding="utf-8") as handle:
            writer = csv.DictWriter(handle, columns, restval="", quoting=csv.QUOTE_ALL)
            writer.writeheader()
            writer.writerows(rows)
        fields = [{"name": column} for column in columns]
        resources.append({"title": name, "path": [path], "schema": {"fields": fields}})
    (bag / "data/datapackage.json").write_text(json.dumps({"resources": resources}))
    for path, text in files.items():
        (bag / "data" / path).parent.mkdir(parents=True, exist_ok=True)
        (bag / "data" / path).write_text(text)
    return root


FULL, PLATFORM = "100full", "100plat"


def user(number: int, **told: object) -> dict[str, object]:
    """An active, busy person on a full licence."""
    return {
        "Id": f"005{number}", "Name": f"Person {number}", "Username": f"p{number}@acme.example",
        "Email": f"p{number}@acme.example", "IsActive": "true", "ProfileId": "00eFull",
        "CreatedDate": "2020-01-01T00:00:00.000Z", "LastLoginDate": "2026-11-20T08:00:00.000Z",
        "UserType": "Standard", **told,
    }  # fmt: skip


def login(
    number: int,
    kind: str = "Application",
    api: str = "N/A",
    day: str = "2026-11-01",
    app: str = "Browser",
    browser: str = "Chrome 130",
) -> dict[str, object]:
    """A sign-in."""
    return {
        "UserId": f"005{number}", "LoginTime": f"{day}T08:00:00.000Z", "LoginType": kind,
        "ApiType": api, "Application": app, "Browser": browser, "Status": "Success",
    }  # fmt: skip


def record(number: int, day: str = "2026-11-01") -> dict[str, object]:
    """A record made, changed and owned by one user."""
    return {
        "Id": f"rec{number}{day}", "CreatedById": f"005{number}",
        "CreatedDate": f"{day}T08:00:00.000Z",
        "LastModifiedById": f"005{number}", "LastModifiedDate": f"{day}T09:00:00.000Z",
        "OwnerId": f"005{number}", "IsDeleted": "false",
    }  # fmt: skip


def company(root: Path) -> Path:
    """Users of every kind; each rule has one who falls under it, and 1 and 10 under none."""
    return make_bag(
        root,
        {
            "Organization": [{"Name": "Acme", "OrganizationType": "Enterprise Edition"}],
            "UserLicense": [
                {"Id": FULL, "Name": "Salesforce",
                 "Status": "Active", "TotalLicenses": "14", "UsedLicenses": "11"},
                {"Id": PLATFORM, "Name": "Salesforce Platform",
                 "Status": "Active", "TotalLicenses": "2", "UsedLicenses": "1"},
            ],
            "Profile": [
                {"Id": "00eFull", "UserLicenseId": FULL},
                {"Id": "00ePlat", "UserLicenseId": PLATFORM},
            ],
            "User": [
                user(1),
                user(2, LastLoginDate="2026-03-01T00:00:00.000Z"),
                user(3, LastLoginDate=""),
                user(4),  # frozen
                user(5, IsActive="false"),  # still holds a package seat
                user(6),  # an integration
                user(7),  # signs in to other apps only
                user(8),  # works with a custom object alone
                user(9, Email="P1@acme.example", LastLoginDate="2026-10-01T00:00:00.000Z"),
                user(10, ProfileId="00ePlat", Name="=1+1<script>"),
                user(12),  # a server that signs in by OAuth and only reads
                user(13),  # a person on a phone who only reads
                user(11, UserType="AutomatedProcess", LastLoginDate=""),
            ],
            "UserLogin": [{"UserId": "0054", "IsFrozen": "true"}],
            "LoginHistory": [
                *[login(n) for n in (1, 4, 8, 9, 10)],
                login(6, "Other Apex API", "SOAP Partner"),
                login(6, "Application", day="2026-01-01"),  # long ago
                login(7, "Remote Access 2.0", app="Payroll"),
                login(12, "Remote Access 2.0", app="Warehouse", browser="Unknown"),
                login(13, "Remote Access 2.0", app="Salesforce for iOS", browser="Unknown"),
            ],
            "PermissionSetLicense": [
                {"Id": "0PL1", "MasterLabel": "Maps", "DeveloperName": "Maps",
                 "Status": "Active", "TotalLicenses": "2", "UsedLicenses": "2"},
                {"Id": "0PL2", "MasterLabel": "Sales User", "DeveloperName": "SalesUserPsl",
                 "Status": "Active", "TotalLicenses": "1", "UsedLicenses": "1"},
            ],
            "PermissionSetLicenseAssign": [
                {"AssigneeId": "0051", "PermissionSetLicenseId": "0PL1"},
                {"AssigneeId": "0051", "PermissionSetLicenseId": "0PL2"},
                {"AssigneeId": "0058", "PermissionSetLicenseId": "0PL1"},
            ],
            "PermissionSet": [{"Id": "0PS1", "LicenseId": "0PL1"}],
            "PermissionSetAssignment": [
                {"AssigneeId": "0051", "PermissionSetId": "0PS1", "PermissionSetGroupId": ""},
            ],
            "PackageLicense": [{"Id": "050A", "NamespacePrefix": "sign",
             "Status": "Active", "AllowedLicenses": "-1", "UsedLicenses": "1"}],
            "UserPackageLicense": [{"UserId": "0055", "PackageLicenseId": "050A"}],
            "Opportunity": [record(n) for n in (1, 4, 9)],
            "Invoice__c": [record(8), record(10), record(7, "2019-01-01"), record(6)],
            "AccountHistory": [record(7)],  # the system wrote it
        },
    )  # fmt: skip
