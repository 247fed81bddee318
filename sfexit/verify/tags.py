"""The outermost ring: manifests, tag files and the seal, against each other."""

from __future__ import annotations

import hashlib
from pathlib import Path

from sfexit.archive import signing
from sfexit.redaction import printable
from sfexit.verify import bag as bags
from sfexit.verify.bag import Manifest
from sfexit.verify.finding import Finding
from sfexit.verify.record import Record


class Tags:
    """Tag files and seal of a bag. `manifest` is None where there is none."""

    def __init__(self, bag: Path, record: Record, *, root: str | None, key: str | None) -> None:
        """`root` and `key`: the root digest and the fingerprint that are expected, if any."""
        self.bag, self.record = bag, record
        self._root, self._key = root, key
        self.root = self.fingerprint = ""
        self.signature = "not valid"
        self.manifest: Manifest | None = None

    def check_tags(self) -> None:
        """Every tag file against the tag manifest, whose digest is the root digest."""
        tags = Manifest(self.bag, bags.TAG_MANIFEST)
        self.root = tags.sha256
        self.record.found += tags.findings
        listed = dict(tags)
        expected = self._root
        if expected is not None and expected.lower() != self.root:
            self.record.found.append(
                Finding("root-other", "tags", path=bags.TAG_MANIFEST, expected=expected,
                        found=self.root)
            )  # fmt: skip
        try:
            self.manifest = Manifest(self.bag)
            self.record.found += self.manifest.findings
        except FileNotFoundError:
            pass
        for path in sorted({bags.BAGIT, bags.BAG_INFO, bags.MANIFEST, *listed}):
            try:
                if path == bags.MANIFEST and self.manifest is not None:
                    digest = self.manifest.sha256
                else:
                    content = bags.read_small(self.bag, path)
                    digest = hashlib.sha256(content).hexdigest()
                    if path == bags.BAGIT and content != bags.DECLARATION:
                        self.tag("tag-altered", path, "a BagIt 1.0 declaration", "another text")
            except FileNotFoundError:
                self.tag("tag-missing", path, "a file", "none")
                continue
            except ValueError as error:
                self.tag("tag-altered", path, listed.get(path, ""), str(error))
                continue
            if path not in listed:
                self.tag("tag-altered", bags.TAG_MANIFEST, f"a line for {path}", "none")
            elif digest != listed[path]:
                self.tag("tag-altered", path, listed[path], digest)
        self.record.passed("tags", f"{len(listed)} tag files, root digest {self.root}")

    def tag(self, code: str, path: str, expected: str, found: str) -> None:
        self.record.found.append(
            Finding(code, "tags", path=path, expected=expected, found=found,
                    witness=bags.TAG_MANIFEST)
        )  # fmt: skip

    def check_seal(self) -> None:
        """The three signatures, and whose they are."""
        result = signing.check_seal(self.bag, self._key)
        self.fingerprint = result.fingerprint or ""
        expected = self._key
        for told in result.findings:
            path, _, text = told.partition(": ")
            if path == bags.TAG_MANIFEST and text == "is missing":
                self.tag("tag-missing", path, "a file", "none")
            elif expected and text.endswith(f"expected {expected}"):
                self.seal("signer-other", path, expected or "", self.fingerprint)
            elif text == "is missing":
                self.seal("seal-missing", path, "a file", "none")
            else:
                self.seal("seal-invalid", path, "", printable(text, 160))
        if result.valid and expected is None:
            self.signature = "unchanged since it was signed, signer unknown"
        elif result.signer_known:
            self.signature = "unchanged since it was signed, by the expected key"
        elif result.valid:
            self.signature = "unchanged since it was signed, but by another key than expected"
        elif not any(one.kind == "seal" for one in self.record.found):
            self.seal("seal-invalid", "seal/", "three signatures that hold", "they do not")
        self.record.passed("seal", self.signature)

    def seal(self, code: str, path: str, expected: str, found: str) -> None:
        self.record.found.append(Finding(code, "seal", path=path, expected=expected, found=found))
