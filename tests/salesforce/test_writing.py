"""What became of the rows of an ingest job: from its counts, or from its lists."""

from __future__ import annotations

from pathlib import Path

import pytest

from sfexit.salesforce import writing
from sfexit.simulated_org import Staff
from tests.offboarding.running import Office, office


def job(place: Office, refused: int) -> tuple[writing.IngestJob, list[str], int]:
    """A job of six accounts of which a trigger refuses some; its calls so far."""
    client = place.client()
    ids = [str(row["Id"]) for row in place.rows("Account")][:6]
    numbers = [place.org.tables.tables["Account"].ids.row(one) or 0 for one in ids[:refused]]
    place.org.staff_rules.staff = Staff(refusing={"Account": tuple(numbers)})
    made = writing.open_job(client, "Account")
    writing.upload(client, made.id, ["Id", "Description"], [(one, "x") for one in ids])
    writing.start(client, made.id)
    return writing.wait(client, made.id), ids, place.org.calls


@pytest.mark.parametrize(("refused", "lists"), [(0, 0), (2, 1)])
def test_only_what_went_wrong_is_fetched(tmp_path: Path, refused: int, lists: int) -> None:
    with office(tmp_path, rows=2_000) as place:
        ended, ids, calls = job(place, refused)
        told = writing.outcomes(place.client(), ended, ids)
        assert [one.id for one in told] == ids
        assert [one.ok for one in told] == [False] * refused + [True] * (6 - refused)
        assert place.org.calls - calls == lists


def test_counts_that_do_not_add_up_are_not_believed(tmp_path: Path) -> None:
    with office(tmp_path, rows=2_000) as place:
        ended, ids, _ = job(place, 2)
        for odd in (
            writing.IngestJob(ended.id, "JobComplete", 5, 2, ""),
            writing.IngestJob(ended.id, "JobComplete", 6, 3, ""),
            writing.IngestJob(ended.id, "Failed", 6, 2, "aborted"),
        ):
            told = writing.outcomes(place.client(), odd, [*ids, "001000000000001AAA"])
            assert [one.ok for one in told] == [False, False, True, True, True, True, False]
            assert told[-1].code == "NOT_PROCESSED"
