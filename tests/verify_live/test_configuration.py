"""The org's configuration and the images in rich text, read again and compared."""

from __future__ import annotations

import random
import shutil
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from live_rig import Forger, LiveRig, chosen, verdict

from sfexit.errors import DamagedAnswer
from sfexit.simulated_org.components import Component
from sfexit.simulated_org.visibility import SimulatedUser
from sfexit.verify.live import components, configuration
from sfexit.verify.live.archived import Bag
from sfexit.verify.live.retrieve import Answer
from sfexit.verify.verdict import Verdict


@pytest.fixture
def rig(fast_folder: Path) -> Iterator[LiveRig]:
    made = LiveRig(fast_folder / "org", objects=chosen("Account"), rows=80)
    made.export()
    yield made
    made.close()


@pytest.fixture
def forger(rig: LiveRig, fast_folder: Path) -> Forger:
    return Forger(Path(shutil.copytree(rig.bag, fast_folder / "forged")))


def in_zips(forger: Forger, change: Callable[[str, bytes], bytes | None]) -> None:
    """Write every ZIP of the bag anew; a file for which `change` gives None is left out."""
    for path in (forger.bag / "data/metadata/packages").glob("*.zip"):
        with zipfile.ZipFile(path) as old:
            files = [(one, change(one.filename, old.read(one))) for one in old.infolist()]
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
            for one, data in files:
                if data is not None:
                    new.writestr(one.filename, data)


def differing(rig: LiveRig, bag: Path, **options: object) -> set[str]:
    found = rig.judge(bag, deep=True, **options).findings
    return {one.object for one in found if one.code == "metadata-differs"}


def test_a_healthy_configuration_is_compared_by_sample_or_wholly(rig: LiveRig) -> None:
    some = rig.look()
    assert verdict(some).verdict is Verdict.SAFE, verdict(some).findings
    assert some.configuration.compared == 50 < some.configuration.population
    everything = rig.look(deep=True)
    assert verdict(everything).verdict is Verdict.SAFE
    told = everything.configuration
    assert told.compared == told.population and told.files > told.compared
    assert everything.expected.calls > rig.look(components=0).expected.calls
    # What is compared is what the org holds, but for types that depend on their package.
    held = {
        (c.type, c.full_name)
        for c in rig.org.metadata.components
        if c.type not in ("Profile", "CustomObjectTranslation", "Translations")
    }
    assert {one.member for one in planned(rig).drawn} == held


def planned(rig: LiveRig) -> configuration.Plan:
    return configuration.plan(
        components.known(Bag(rig.bag)), sample=0, deep=True, chance=random.Random(1)
    )


def test_a_class_that_was_altered_and_one_that_is_not_there(rig: LiveRig, forger: Forger) -> None:
    classes = sorted(
        c.full_name for c in rig.org.metadata.components
        if c.type == "ApexClass" and not c.namespace
    )  # fmt: skip
    first, second, third = classes[:3]

    def change(name: str, data: bytes) -> bytes | None:
        if name == f"classes/{first}.cls":
            return data[:-1] + b"?"
        return None if name.startswith((f"classes/{second}.cls", f"classes/{third}.cls-")) else data

    in_zips(forger, change)
    found = differing(rig, forger.done())
    assert found == {f"ApexClass {one}" for one in (first, second, third)}


def test_elements_in_another_order_are_the_same_and_another_value_is_not(
    rig: LiveRig, forger: Forger
) -> None:
    body = b'<?xml version="1.0"?>\n<Flow xmlns="x"><a>1</a><b><c>2</c></b></Flow>'
    turned = b'<?xml version="1.0"?>\n<Flow xmlns="x"><b>\n<c>2</c></b><a>1</a></Flow>'
    assert configuration._elements(body) == configuration._elements(turned) is not None
    other = body.replace(b"2", b"3")
    assert configuration._elements(body) != configuration._elements(other)
    assert configuration._elements(b'<?xml?><!DOCTYPE x [<!ENTITY a "b">]><x>&a;</x>') is None


def test_what_changed_and_what_went_since_is_named(rig: LiveRig) -> None:
    components = rig.org.metadata.components
    one, other = [c for c in components if c.type in ("ApexTrigger", "Layout", "Flow")][:2]
    components.removed |= {(one.type, one.full_name), (other.type, other.full_name)}
    name, content = one.files[0]
    components.added.append(
        replace(one, files=((name, content.replace(b"</", b"<new/></", 1)), *one.files[1:]))
    )
    components.removed.discard((one.type, one.full_name))
    components._made.remove(one)
    judged = rig.judge(deep=True)
    assert judged.verdict is Verdict.NOT_SAFE
    told = {f.object: f.found for f in judged.findings if f.code == "metadata-differs"}
    assert told == {
        f"{one.type} {one.full_name}": "another content",
        f"{other.type} {other.full_name}": "the org does not name it any more",
    }


# ---- what the archive lacks

LATER = "2200-01-01T00:00:00.000Z"


def left_out(rig: LiveRig, **options: object) -> dict[str, str]:
    judged = rig.judge(**options)
    found = {
        f.object: f.detail or f.found for f in judged.findings if f.code == "metadata-left-out"
    }
    assert judged.verdict is (Verdict.NOT_SAFE if found else Verdict.SAFE), judged.findings
    return found


def a_class(rig: LiveRig) -> Component:
    return next(c for c in rig.org.metadata.components if c.type == "ApexClass" and not c.namespace)


def test_a_component_that_could_not_be_retrieved_is_not_safe(fast_folder: Path) -> None:
    rig = LiveRig(fast_folder / "org", objects=chosen("Account"), rows=40)
    try:
        broken, unlisted = a_class(rig).full_name, "Layout"
        rig.org.metadata.breaking.add(("ApexClass", broken))
        rig.org.metadata.unlistable.add(unlisted)
        rig.export()
        told = left_out(rig, components=0)
        assert set(told) == {f"ApexClass {broken}", "Layout *"}
        assert "UNKNOWN_EXCEPTION" in told[f"ApexClass {broken}"]
        # The org gives them now: another archive has them, and is the repair.
        rig.org.metadata.breaking.clear()
        rig.org.metadata.unlistable.clear()
        layouts = sum(c.type == "Layout" for c in rig.org.metadata.components)
        [whole] = [f for f in rig.judge().findings if f.object == "Layout *"]
        assert whole.count == layouts > 1
        rig.export(refresh=True)
        assert left_out(rig) == {}
    finally:
        rig.close()


def test_an_archive_without_any_configuration_is_not_safe(fast_folder: Path) -> None:
    rig = LiveRig(fast_folder / "org", objects=chosen("Account"), rows=40)
    try:
        rig.token = rig.org.sign_in(
            SimulatedUser("Reader", modify_all_data=False, lacks=("ModifyMetadata",))
        )
        rig.export()
        rig.token = rig.org.access_token
        judged = rig.judge()
        assert judged.verdict is Verdict.NOT_SAFE
        assert "metadata-left-out:* *" in {one.key for one in judged.findings}
    finally:
        rig.close()


@pytest.mark.parametrize("when", [LATER, "2020-01-01T00:00:00.000Z"])
def test_a_component_that_no_list_of_the_archive_has(when: str, rig: LiveRig) -> None:
    one = a_class(rig)
    files = tuple((name.replace(one.full_name, "Other"), body) for name, body in one.files)
    new = replace(one, full_name="Other", files=files, modified=when)
    rig.org.metadata.components.added.append(new)
    [(name, detail)] = left_out(rig).items()
    assert name == "ApexClass Other"
    assert ("new" in detail) == (when == LATER)


def test_what_was_changed_since_is_found_though_nothing_was_drawn(rig: LiveRig) -> None:
    """Profiles and translations too, of which two ZIPs cannot be compared."""
    members = rig.org.metadata.components
    touched = {}
    for kind in ("Profile", "ApexClass", "Flow"):
        one = next(c for c in members if c.type == kind and not c.namespace)
        body = one.files[0][1].replace(b"</", b"<new/></", 1) if kind == "Flow" else one.files[0][1]
        files = ((one.files[0][0], body), *one.files[1:])
        members._made.remove(one)
        members.added.append(replace(one, modified=LATER, files=files))
        touched[kind] = f"{kind} {one.full_name}"
    judged = rig.judge(components=0)
    told = {f.object: f.found for f in judged.findings if f.code == "metadata-differs"}
    # The class was saved again without a change: its files are what the archive has.
    assert told == {
        touched["Profile"]: "changed, by the org's word",
        touched["Flow"]: "another content",
    }


def test_a_list_that_the_org_does_not_give_is_unknown(rig: LiveRig) -> None:
    rig.org.metadata.unlistable |= {"Report", "Profile"}
    judged = rig.judge(components=0)
    assert judged.verdict is Verdict.UNKNOWN
    told = {one.object for one in judged.findings if one.code == "check-not-made"}
    assert "Profile" in told and any(one.startswith("Report in ") for one in told)


@pytest.mark.parametrize("endpoint", ["metadata.describe", "metadata.list"])
def test_lists_that_stay_broken_are_unknown_and_end_the_run(endpoint: str, rig: LiveRig) -> None:
    fault = rig.server.fail("status", endpoint, code=500, times=None)
    judged = rig.judge(components=0)
    assert fault.hits and judged.verdict is Verdict.UNKNOWN
    [told] = [one for one in judged.findings if one.code == "check-not-made"]
    assert told.kind == "configuration" and "does not list its components" in told.found


@pytest.mark.parametrize("kind", ["refused", "failed", "spoiled"])
def test_what_could_not_be_asked_is_unknown_and_never_safe(kind: str, rig: LiveRig) -> None:
    metadata = rig.org.metadata
    if kind == "refused":
        rig.token = rig.org.sign_in(
            SimulatedUser("Reader", modify_all_data=False, lacks=("ModifyMetadata",))
        )
    elif kind == "failed":
        metadata.breaking |= {one.member for one in planned(rig).drawn}
    else:
        metadata.spoil = lambda data: data[:-30]
    judged = rig.judge(deep=True)
    # Another user is told something else in UserPermissionAccess too.
    assert judged.verdict is (Verdict.NOT_SAFE if kind == "refused" else Verdict.UNKNOWN)
    assert {one.code for one in judged.findings if one.kind == "configuration"} == {
        "check-not-made"
    }


@pytest.mark.parametrize(
    "text",
    [b"<a", b"<!DOCTYPE a><a></a>", b"<a><result><zipFile>QQ</zipFile></result></a>",
     b"<a><result><zipFile>Q!==</zipFile></result></a>", b"<a>" * 20 + b"</a>" * 20],
)  # fmt: skip
def test_answers_that_are_none(text: bytes) -> None:
    told = Answer(lambda _: None)
    with pytest.raises(DamagedAnswer):
        told.feed(text)
        told.finish()


def test_images_in_rich_text_are_read_again(fast_folder: Path) -> None:
    rig = LiveRig(fast_folder / "org", objects=chosen("Account", "Invoice__c"), rows=900)
    try:
        rig.export()
        told = rig.look()
        deep = rig.look(deep=True)
        assert deep.expected.calls > told.expected.calls
        assert told.calls / 2 < told.expected.calls < told.calls * 2
        assert deep.calls / 2 < deep.expected.calls < deep.calls * 2
        images = next(one for one in told.bodies if one.object == "images in rich text")
        assert images.reread == min(images.archive, 20) > 0
        assert verdict(told).verdict is Verdict.SAFE, verdict(told).findings
        forger = Forger(Path(shutil.copytree(rig.bag, fast_folder / "forged")))
        line = next(one for one in Bag(rig.bag).files() if one["reference"])
        body = forger.bag / "data" / line["path"]
        body.write_bytes(b"?" * body.stat().st_size)
        keys = {one.key for one in rig.judge(forger.done(), deep=True).findings}
        assert f"body-differs:{line['object']}:{line['record_id']}:{line['field']}" in keys
    finally:
        rig.close()
