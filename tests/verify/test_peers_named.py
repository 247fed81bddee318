"""Every defect that users of other exporters reported as let pass, and the test that shows it.

Reports are public issues and pages, in short (`repository number`); "run" means that the tool was
run and seen to do it. What is a matter of the exporter is shown here by what the verifier does with
an archive that came of it.
"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

TESTS = Path(__file__).parent.parent
HERE, LIVE = "verify/test_peers.py", "verify_live/test_peers_live.py"
OWN, RUNS = "verify_live/test_own_lists.py", "verify_live/test_live_runs.py"
COMMAND, DAMAGE = "commands/test_verify_backup.py", "verify/damage.py"

#: report → (file, test, and of a test that is made many times the one meant)
SEEN: dict[str, list[tuple[str, str, str]]] = {
    # a whole exporter, run
    "sfdump: versions of one title interleaved": [
        (HERE, "test_two_versions_with_one_title_interleaved", ""),
        (LIVE, "test_two_downloads_interleaved_in_one_file", ""),
    ],
    "sfdump: the stump of a killed download is blessed": [
        (HERE, "test_a_stump_of_a_download_blessed_by_its_own_digest", ""),
        (LIVE, "test_a_stump_of_a_download_blessed_by_its_own_digest", ""),
    ],
    "sfdump: half an object kept, listed as found": [
        (HERE, "test_half_an_object_kept_after_page_two_failed", ""),
        (HERE, "test_an_object_that_failed_listed_as_found", ""),
        (LIVE, "test_rows", "half_an_object_kept_after_page_two_failed"),
        (LIVE, "test_an_object_that_failed_told_as_empty", ""),
    ],
    "sfdump: incomplete for ever, and exit code 0 in every state": [
        (LIVE, "test_as_it_is_it_is_safe", ""),
        (COMMAND, "test_safe_then_not_safe_then_repaired", ""),
    ],
    "sfdump: a file of no bytes is missing for ever": [
        (HERE, "test_a_file_of_no_bytes_is_not_missing", ""),
        (LIVE, "test_a_file_of_no_bytes_is_not_missing", ""),
    ],
    "sfdump: tables that never reach the database; an id twice ends it": [
        (LIVE, "test_an_object_that_no_list_of_tables_has", ""),
        (HERE, "test_rows_with_one_time_stamp_read_twice", ""),
    ],
    "sfdump: expected 285, present 1,194, complete": [
        (HERE, "test_more_there_than_expected", ""),
        (LIVE, "test_rows", "more_there_than_expected"),
    ],
    # rows or objects missing, and nobody said so
    "cli 1759, simple-salesforce 280: the first batch alone": [
        (HERE, "test_only_the_first_batch_came", ""),
        (LIVE, "test_rows", "only_the_first_result_page_came"),
    ],
    "cli 1663: 1,000 of 1,456; simple-salesforce 657: 230 of 19,000": [
        (LIVE, "test_rows", "a_ceiling_of_200_rows"),
    ],
    "simple-salesforce 275: archived tasks": [(LIVE, "test_rows", "archived_tasks_invisible")],
    "simple-salesforce 761: deleted rows": [(LIVE, "test_rows", "deleted_rows_not_included")],
    "airbyte 27048: 500,000 of 900,000; 19014: 14,900 of 49,000": [
        (LIVE, "test_rows", "half_an_object_kept_after_page_two_failed"),
    ],
    "airbyte 27146: rows that move during the run": [
        (LIVE, "test_rows_that_moved_during_the_run_are_lost", ""),
    ],
    "airbyte 42537: rows of one CreatedDate": [
        (LIVE, "test_rows", "rows_of_one_time_stamp_partly_missing"),
    ],
    "airbyte 37528: a default start date": [
        (LIVE, "test_rows", "rows_older_than_a_default_start_date"),
    ],
    "airbyte 4620: weeks are missing": [
        (LIVE, "test_rows", "weeks_of_rows_missing_in_the_middle"),
    ],
    "airbyte 17503: read 0 records, and green": [
        (HERE, "test_read_zero_records_and_green", ""),
        (HERE, "test_a_home_with_nothing_in_it_is_not_intact", ""),
        (LIVE, "test_rows", "zero_records_read_and_green"),
    ],
    "salesforcer 54: one sixth": [(LIVE, "test_rows", "one_sixth_of_the_rows")],
    "salesforcer 118: a column missing since the first rows are empty": [
        (HERE, "test_a_column_missing_since_the_first_rows_were_empty", ""),
        (LIVE, "test_a_field_missing_since_the_first_rows_were_empty", ""),
    ],
    "force 146: fewer rows in the file than on the screen": [
        (LIVE, "test_rows", "one_row_less_in_the_file_than_on_the_screen"),
    ],
    "jetstream 1161: more rows than a sheet takes": [
        (LIVE, "test_rows", "rows_beyond_the_last_one_of_a_spreadsheet"),
        (LIVE, "test_values", "a_cell_cut_where_a_spreadsheet_ends"),
        (LIVE, "test_a_cut_cell_is_among_the_few_that_are_looked_for", ""),
    ],
    "soql-tooling 145, 262, salesforcedx-vscode 5181: a ceiling of 2,000 or 200": [
        (LIVE, "test_rows", "a_ceiling_of_200_rows"),
    ],
    "Inspector-reloaded 543: Tooling stops at 2,000 of 8,000": [
        (OWN, "test_a_catalogue_of_which_one_answer_gives_2000", ""),
        (OWN, "test_a_catalogue_that_never_gives_more_is_not_taken_for_whole", ""),
    ],
    "salesforce-devtools 13: a few hundred rows": [(LIVE, "test_rows", "a_ceiling_of_200_rows")],
    "airbyte 9499: out of quota is success": [
        (LIVE, "test_out_of_quota_is_a_pause_and_never_a_success", ""),
    ],
    # values damaged
    "cli 3103: a closing quote": [
        (HERE, "test_columns_shifted_by_a_stray_quote", ""),
        (LIVE, "test_values", "a_stray_quote_ends_the_value"),
    ],
    "salesforce-bulk 108, MeltanoLabs 76: line breaks vanish": [
        (HERE, "test_values_changed_in_passing", "line breaks vanish"),
        (LIVE, "test_values", "line_breaks_vanish"),
        (LIVE, "test_values", "carriage_returns_vanish"),
    ],
    "ballerina 6556: a value becomes several rows": [
        (HERE, "test_a_value_with_a_line_break_became_two_rows", ""),
        (LIVE, "test_values", "a_value_with_a_line_break_is_cut_there"),
    ],
    "csv-stream 51: columns shifted": [
        (HERE, "test_columns_shifted_by_a_stray_quote", ""),
        (LIVE, "test_columns_shifted_by_one", ""),
    ],
    "airbyte 25350: 01234 and ids become numbers": [
        (HERE, "test_an_id_that_became_a_number", ""),
        (LIVE, "test_values", "a_text_becomes_a_number"),
        (LIVE, "test_ids_that_became_numbers", ""),
    ],
    "airbyte 40680: NA, N/A, None become null": [
        (HERE, "test_values_changed_in_passing", "NA becomes empty"),
        (LIVE, "test_values", "NA_becomes_null"),
        (LIVE, "test_values", "N/A_becomes_null"),
        (LIVE, "test_values", "None_becomes_null"),
    ],
    "airbyte 8300, singer 21: NUL": [
        (HERE, "test_values_changed_in_passing", "NUL is dropped"),
        (LIVE, "test_values", "nul_is_dropped"),
    ],
    "dataloader 49: back-slashes": [
        (LIVE, "test_values", "back_slashes_doubled"),
        (LIVE, "test_values", "back_slashes_read_as_escapes"),
    ],
    "dataloader 127: bad CSV, and silence": [
        (HERE, "test_a_broken_row_is_named_by_its_number", ""),
    ],
    # permissions hide data in silence
    "ingestr 1011: a column of nulls": [
        (LIVE, "test_a_column_that_is_all_null_since_nobody_could_read_it", ""),
    ],
    "bruin 2429: old values linger": [
        (LIVE, "test_values_of_a_field_that_nobody_reads_any_more_do_not_linger", ""),
    ],
    "Inspector-reloaded 779: fields disappear; Capstorm: why was it not copied": [
        (HERE, "test_a_field_hidden_by_permissions_and_not_told", ""),
        (LIVE, "test_what_the_exporter_could_not_see_is_missed_by_one_who_can",
         "a field without access disappears"),
    ],
    "GRAX: administrators lack Query All Files and View Encrypted Data": [
        (LIVE, "test_a_permission_that_administrators_lack_is_named", "Query All Files"),
        (LIVE, "test_a_permission_that_administrators_lack_is_named", "View Encrypted Data"),
    ],
    "Kaseya: private files": [
        (LIVE, "test_a_permission_that_administrators_lack_is_named", "Query All Files"),
    ],
    "Salesforce 004517924: Query Non Vetoed Files": [
        (LIVE, "test_a_permission_that_administrators_lack_is_named", "Query Non Vetoed Files"),
    ],
    "gettectonic: NOT_VISIBLE wants interpreting": [
        (LIVE, "test_what_the_exporter_could_not_see_is_missed_by_one_who_can",
         "an object without access disappears"),
        (HERE, "test_rows_hidden_by_sharing_and_not_told", ""),
        (HERE, "test_an_object_hidden_altogether_and_not_told", ""),
    ],
    # files
    "sfdx-hardis 447, salesforcer 34: one name overwrites another": [
        (HERE, "test_versions_with_one_title_overwrote_each_other", ""),
        (LIVE, "test_versions_of_one_title_overwrite_each_other", ""),
        (LIVE, "test_attachments_of_one_name_overwritten_at_the_same_size", ""),
    ],
    "sfdx-hardis 485: a file linked to several records": [
        (LIVE, "test_rows", "links_of_a_file_to_several_records_lost"),
    ],
    "sfdx-hardis 296, 1110: no classic attachments": [
        (LIVE, "test_bodies_that_never_came", "no classic attachments"),
    ],
    "sfdx-hardis 1127: an IN list too long": [
        (OWN, "test_a_long_list_of_parents_is_asked_in_pieces_that_fit", ""),
        (LIVE, "test_rows", "children_of_parents_behind_the_end_of_a_list_that_was_cut"),
    ],
    "sfdx-hardis 1409: no resume, no validation": [
        (RUNS, "test_a_stopped_run_goes_on_and_comes_to_the_same", ""),
        (HERE, "test_a_file_that_was_lost", ""),
    ],
    "salesforce-archivist: large files break, one broken file blocks its folder": [
        (LIVE, "test_bodies_that_never_came", "one broken file blocks its folder"),
        (LIVE, "test_a_stump_of_a_download_blessed_by_its_own_digest", ""),
    ],
    "simple-salesforce 578: files over 10 MB": [
        (LIVE, "test_a_stump_of_a_download_blessed_by_its_own_digest", ""),
        (HERE, "test_an_error_page_saved_as_a_file", ""),
        (LIVE, "test_an_error_page_saved_as_a_file", ""),
    ],
    "SFDX-Data-Move-Utility 669: attachments of mails": [
        (LIVE, "test_rows", "attachments_of_mails_not_moved"),
    ],
    "js-sf-cli-plugin 24: only the latest version": [
        (LIVE, "test_only_the_latest_version_is_kept", ""),
    ],
    "salesforce_scripts 1: stops at 2,000": [
        (LIVE, "test_bodies_that_never_came", "a script that stops after some"),
    ],
    "Keepit: images in rich text every 30th time": [
        (DAMAGE, "_image_missing", "an image of a rich text missing, all counts made to fit"),
    ],
}  # fmt: skip


@pytest.mark.parametrize("report", SEEN)
def test_every_report_has_a_test_that_is_there(report: str) -> None:
    assert SEEN[report]
    for file, test, case in SEEN[report]:
        tree = ast.parse((TESTS / file).read_text("utf-8"))
        functions = {one.name for one in tree.body if isinstance(one, ast.FunctionDef)}
        texts = {
            one.value
            for one in ast.walk(tree)
            if isinstance(one, ast.Constant) and isinstance(one.value, str)
        }
        assert test in functions, f"{file} has no {test}"
        assert not case or case in texts, f"{file} has no case {case!r}"


def test_every_test_of_the_two_files_stands_for_a_report() -> None:
    """So that a new one is named here too."""
    named = {(file, test) for tests in SEEN.values() for file, test, _ in tests}
    for file in (HERE, LIVE):
        tree = ast.parse((TESTS / file).read_text("utf-8"))
        tests = {one.name for one in tree.body
                 if isinstance(one, ast.FunctionDef) and one.name.startswith("test_")}  # fmt: skip
        missing = {one for one in tests if (file, one) not in named}
        assert not missing
