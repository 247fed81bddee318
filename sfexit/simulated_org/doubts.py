"""Switches for what the documentation leaves open; the default is the stricter reading."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Doubts:
    """How this org behaves where nobody outside Salesforce knows for certain.

    ``empty_result_has_header``: a Bulk result without rows is its header line, else nothing.
    ``bulk_datetime``: ``Z`` or ``+0000`` at the end of a datetime in Bulk results.
    ``pages_compressed``: answers honour Accept-Encoding: gzip; else they never are compressed.
    ``final_line_end``: the last line of a Bulk page ends in a line feed.
    ``links_of_deleted_files``: queryAll gives ContentDocumentLink rows of deleted files.
    ``restriction_rules_bind_everyone``: users with View All Data are bound too.
    ``definitions_show_hidden``: EntityDefinition and FieldDefinition list what the user cannot
    see; else they are filtered by the user's rights.
    ``view_all_fields_is_complete``: View All Fields shows every field of every object; else the
    fields of ``stubborn_objects`` stay hidden.
    ``entity_definition_limit_works``: LIMIT and OFFSET work on EntityDefinition, as clients saw;
    else they are ignored, as documented.
    ``likes_by_feed_item``: FeedItem gives likes, signals and tracked changes as record feeds do.
    ``knowledge_needs_status``: article versions demand a filter on PublishStatus.
    ``bodies_of_deleted_records``: the bytes of files in the recycle bin can be had.
    ``copied_images``: an image in rich text is given to every record whose text shows it; else only
    to the one that it was put into.
    ``ranges``: blob fields honour Range; else they send everything, as RFC 9110 allows.
    ``deactivation_code``: the code of a deactivation that is refused.
    ``owner_change_drops_teams``: an owner change over REST or Bulk deletes the team.
    ``freeze_ends_sessions``: freezing a user ends their sessions.
    ``locked_is_invalid_grant``: the sign-in to a locked org is refused with ``invalid_grant``;
    else with ``inactive_org``.
    ``unknown_running_user_refused``: a dashboard whose running user is nobody, or inactive, is
    refused; else it runs as who deploys it, as documented.
    ``version_68``: API version 68.0 is offered.
    """

    empty_result_has_header: bool = True
    bulk_datetime: str = "Z"
    pages_compressed: bool = True
    final_line_end: bool = True
    links_of_deleted_files: bool = False
    restriction_rules_bind_everyone: bool = True
    definitions_show_hidden: bool = True
    view_all_fields_is_complete: bool = True
    stubborn_objects: tuple[str, ...] = ("Opportunity",)
    entity_definition_limit_works: bool = False
    likes_by_feed_item: bool = False
    knowledge_needs_status: bool = False
    bodies_of_deleted_records: bool = False
    copied_images: bool = True
    ranges: bool = False
    deactivation_code: str = "FIELD_INTEGRITY_EXCEPTION"
    owner_change_drops_teams: bool = True
    freeze_ends_sessions: bool = False
    locked_is_invalid_grant: bool = False
    unknown_running_user_refused: bool = False
    version_68: bool = True
