"""Features that make an org strange to careless tools, each a switch."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from .schema import Field, SObject, make, parse_fields


@dataclass(frozen=True)
class Strange:
    """What this org has switched on.

    ``person_accounts``: every tenth account is a person, with a twin contact. ``currencies``: ISO
    codes, the first is the corporate currency; amounts are in the row's own. ``language``,
    ``time_zone`` and ``fiscal_year_start`` (month) stand in Organization; labels come in the
    org's language unless asked otherwise. ``private_reports``: reports and dashboards in
    other people's private folders. ``record_counts``: ``fresh``, ``stale`` (as of long ago) or
    ``partial`` (objects missing).
    """

    person_accounts: bool = False
    currencies: tuple[str, ...] = ()
    language: str = "en_US"
    time_zone: str = "Europe/Berlin"
    fiscal_year_start: int = 1
    private_reports: bool = False
    record_counts: str = "fresh"

    def applied(self, objects: Iterable[SObject]) -> list[SObject]:
        """The objects of an org with these features."""
        out = [self._organization(o) if o.name == "Organization" else o for o in objects]
        if self.person_accounts:
            out = [_with(o, _PERSON.get(o.name, "")) for o in out]
        if self.currencies:
            new = _currency_objects(self.currencies)
            names = {o.name for o in new}
            out = [self._priced(o) for o in out if o.name not in names] + new
        if self.private_reports:
            new = _report_objects()
            names = {o.name for o in new}
            out = [o for o in out if o.name not in names] + new
        return out

    def _organization(self, o: SObject) -> SObject:
        given = {
            "LanguageLocaleKey": f"const:{self.language}",
            "TimeZoneSidKey": f"const:{self.time_zone}",
        }
        fields = tuple(replace(f, gen=given.get(f.name, f.gen)) for f in o.fields)
        more = (
            f"FiscalYearStartMonth int gen=const:{self.fiscal_year_start}\n"
            "UsesStartDateAsFiscalYearName boolean gen=true"
        )
        return _with(replace(o, fields=fields, _index={}), more)

    def _priced(self, o: SObject) -> SObject:
        money = any(f.type == "currency" for f in o.fields)
        owned = any(f.name == "OwnerId" for f in o.fields)
        if not money and not (o.custom and owned):
            return o
        code = Field(
            "CurrencyIsoCode",
            "picklist",
            255,
            values=self.currencies,
            nillable=False,
            gen="currency_code",
        )
        return _with(o, "", (code,))


_PERSON = {
    "Account": (
        "IsPersonAccount boolean gen=person_flag\n"
        "PersonContactId ref(Contact) gen=person_contact rel=PersonContact\n"
        "LastName string(80) gen=person_part:last\nFirstName string(40) gen=person_part:first\n"
        "PersonEmail email gen=person_part:email\nPersonBirthdate date gen=person_part:date\n"
        "Hobby__pc string(80) gen=person_part:word"
    ),
    "Contact": "IsPersonAccount boolean gen=person_twin",
}


def _with(o: SObject, text: str, more: tuple[Field, ...] = ()) -> SObject:
    known = {f.name for f in o.fields}
    fields = (*(parse_fields(text) if text else ()), *more)
    fields = tuple(f for f in fields if f.name not in known)
    if not fields:
        return o
    return replace(o, fields=o.fields + fields, _index={})


def _currency_objects(codes: tuple[str, ...]) -> list[SObject]:
    every = ",".join(codes)
    return [
        make(
            "CurrencyType",
            "01L",
            f"IsoCode string(3) gen=each:{every} required\n"
            "ConversionRate double(18,6) gen=rate required\n"
            "DecimalPlaces int gen=const:2 required\nIsActive boolean gen=true\n"
            "IsCorporate boolean gen=first_only",
            system="nodelete",
            fixed=len(codes),
            flags=("createable", "updateable", "replicateable"),
        ),
        make(
            "DatedConversionRate",
            "04w",
            f"IsoCode string(3) gen=each:{every} required\nStartDate date gen=month required\n"
            "NextStartDate date gen=month:1\nConversionRate double(18,6) gen=rate required",
            system="nodelete",
            fixed=12 * len(codes),
            flags=("createable", "deletable", "updateable"),
        ),
    ]


def _report_objects() -> list[SObject]:
    scopes = ("everything", "mine", "allPrivate", "created", "mru", "scopingRule")
    flags = ("mruEnabled", "searchable")
    return [
        make(
            "Folder",
            "00l",
            "Name string(80) gen=product required\nDeveloperName string(80) gen=seq:Folder_\n"
            "AccessType picklist(folder_access) gen=each:Public,Hidden,Shared,PublicInternal\n"
            "Type picklist(folder_type) gen=each:Report,Report,Dashboard,Dashboard required\n"
            "IsReadonly boolean",
            system="nodelete",
            fixed=8,
            flags=("createable", "deletable", "replicateable", "searchable", "updateable"),
        ),
        make(
            "Report",
            "00O",
            "OwnerId ref(Folder) required rel=Owner\nFolderName string(256) gen=product\n"
            "Name string(40) gen=subject name required\nDescription string(255)\n"
            "DeveloperName string(80) gen=seq:Report_ required\nFormat picklist(generic)\n"
            "LastRunDate datetime",
            system="full",
            fixed=40,
            flags=flags,
            scopes=scopes,
        ),
        make(
            "Dashboard",
            "01Z",
            "FolderId ref(Folder) required rel=Folder\nFolderName string(256) gen=product\n"
            "Title string(80) gen=subject name required\nDescription string(255)\n"
            "DeveloperName string(80) gen=seq:Board_ required\nRunningUserId ref(User)",
            system="full",
            fixed=16,
            flags=(*flags, "layoutable"),
            scopes=scopes,
        ),
    ]
