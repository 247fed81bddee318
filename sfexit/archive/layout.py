"""Every path and name of a home and a bag, as docs/archive-format.md gives them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from sfexit import record_id

FORMAT = "sfexit-archive/1"
WORK_SCHEMA = "sfexit-work/1"
HOME_SCHEMA = "sfexit-home/1"
UNCHANGED_SCHEMA = "sfexit-unchanged/1"

HOME_MARK = "sfexit-home.json"
UNCHANGED = "unchanged.json"

BAGS = "bags"
OFFBOARDING = "offboarding"  # plans and their journals
WORK = "work"
WORK_BAG = "bag"
WORK_HOME = "home.json"
WORK_LOCK = "lock"
WORK_JOURNAL = "journal.jsonl"
WORK_STATE = "state.db"
WORK_EARLIER = "earlier.db"
WORK_HELD = "files-held.db"
WORK_SET_ASIDE = "set-aside"
WORK_PARENTS = "parents"

DATA = "data"
README = "data/README.txt"
VERIFY_TOOL = "data/tools/verify.py"
DATAPACKAGE = "data/datapackage.json"
LEDGER = "data/ledger.csv"
DEFINITIONS = "data/definitions/index.csv"
FILES_INDEX = "data/files/index.csv.gz"
SOBJECTS = "data/schema/sobjects.json.gz"
PAGES = "data/evidence/pages.csv"
JOBS = "data/evidence/jobs.csv"
NOTES = "data/evidence/notes.csv"
RUN = "data/evidence/run.json"
JOURNAL = "data/evidence/journal.jsonl"
ORGANIZATION = "data/org/organization.json"
IDENTITY = "data/org/identity.json"
LIMITS = "data/org/limits.json"
SIGHT = "data/org/sight.json"
DICTIONARY = "data/schema/dictionary.csv"
DICTIONARY_PAGE = "data/schema/dictionary.html"
FILLED = "data/schema/filled.json.gz"
METADATA_LIST = "data/metadata/listed.json.gz"
METADATA_INDEX = "data/metadata/index.csv"
METADATA_PACKAGES = "data/metadata/packages"

PART_SUFFIX = ".part"
FILES_CONTENT = "data/files/content"
BODY_EXCEPTIONS = "data/evidence/body_exceptions.csv"

_EXTENSION = re.compile(r"[a-z0-9]{1,8}")
_BODY = re.compile(
    r"data/files/content/([0-9a-f]{2})/([A-Za-z0-9]{18}(?:~[A-Za-z0-9_]+)?)\.([a-z0-9]{1,8})"
)

_API_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,79}")
# Names that Windows gives to devices, whatever ending follows them.
_DEVICE_NAMES = frozenset(
    ["con", "prn", "aux", "nul", "clock$", "conin$", "conout$"]
    + [f"{kind}{digit}" for kind in ("com", "lpt") for digit in "0123456789"]
)
_ID15 = re.compile(r"[A-Za-z0-9]{15}")


def is_api_name(name: str) -> bool:
    """True for a name that may stand in SOQL and, made safe, in a path."""
    return _API_NAME.fullmatch(name) is not None


def safe_names(api_names: Iterable[str]) -> dict[str, str]:
    """File-safe names for API names, distinct on file systems that ignore case.

    Names that are no API names are left out. The result depends only on the set of names, so
    every start of a run gives the same paths.
    """
    chosen: dict[str, str] = {}
    taken = {"ledger", "files"}  # resources of their own in the data package
    for name in sorted(set(api_names)):
        if not is_api_name(name):
            continue
        base = f"_{name}" if name.lower() in _DEVICE_NAMES else name
        candidate, number = base, 1
        while candidate.lower() in taken:
            number += 1
            candidate = f"{base}~{number}"
        taken.add(candidate.lower())
        chosen[name] = candidate
    return chosen


def page_path(safe_name: str, reading: int, slice_number: int, page: int) -> str:
    """Path of a page relative to the bag."""
    leaf = f"{safe_name}.g{reading:03d}.s{slice_number:04d}.p{page:06d}.csv.gz"
    return f"{DATA}/records/{safe_name}/{leaf}"


def definition_path(object_name: str, record_id: str, *, result: bool = False) -> str:
    """Path of a report's or dashboard's definition, or of a report's result, within the bag."""
    leaf = f"{id18(record_id)}{'.result' if result else ''}.json.gz"
    return f"{DATA}/definitions/{object_name}/{leaf}"


def describe_path(safe_name: str) -> str:
    """Path of an object's describe relative to the bag."""
    return f"{DATA}/schema/objects/{safe_name}.json.gz"


def body_folder(key: str) -> str:
    """The folder of a body: two hex digits of the SHA-256 of the id that its name begins with."""
    return hashlib.sha256(key[:18].encode()).hexdigest()[:2]


def body_path(key: str, extension: str) -> str:
    """Path of a body relative to the bag."""
    return f"{FILES_CONTENT}/{body_folder(key)}/{key}.{extension}"


def body_key(relative: str) -> str | None:
    """The key of a path that can be a body's, else None."""
    found = _BODY.fullmatch(relative)
    return found[2] if found and found[1] == body_folder(found[2]) else None


def body_extension(wish: str) -> str:
    """What is made of an extension that came from the org: itself in lower case, or `bin`."""
    lower = wish.strip().lower()
    return lower if _EXTENSION.fullmatch(lower) else "bin"


def differences_path(safe_name: str) -> str:
    """Path of what differs in an object from the bag before, relative to the bag."""
    return f"{DATA}/evidence/wire/{safe_name}.csv.gz"


def within(root: Path, relative: str) -> Path:
    """`root`/`relative`, sure to lie below `root`. Raises ValueError for anything else."""
    parts = [part for part in relative.split("/") if part not in ("", ".")]
    odd = "\\" in relative or "\0" in relative or relative.startswith("/")
    if odd or not parts or ".." in parts:
        raise ValueError(f"not a path inside the archive: {relative!r}")
    return root.joinpath(*parts)


def id18(identifier: str) -> str:
    """The 18-character form of a record id. Raises ValueError when it is none."""
    if not _ID15.fullmatch(identifier[:15]) or len(identifier) not in (15, 18):
        raise ValueError("not a Salesforce id")
    whole = identifier[:15] + record_id.suffix(identifier[:15])
    if len(identifier) == 18 and identifier != whole:
        raise ValueError("not a Salesforce id: its check characters are wrong")
    return whole


@dataclass(frozen=True)
class HomeLayout:
    """Where things lie in one home."""

    root: Path

    @property
    def bags(self) -> Path:
        return self.root / BAGS

    @property
    def work(self) -> Path:
        return self.root / WORK

    @property
    def work_bag(self) -> Path:
        return self.work / WORK_BAG

    def bag(self, generation: int) -> Path:
        """The sealed bag of a generation, whether it exists or not."""
        return self.bags / f"{generation:04d}"

    def generations(self) -> tuple[int, ...]:
        """The numbers of the sealed bags, ascending."""
        if not self.bags.is_dir():
            return ()
        found = (entry.name for entry in self.bags.iterdir() if entry.is_dir())
        return tuple(sorted(int(name) for name in found if re.fullmatch(r"[0-9]{4,}", name)))
