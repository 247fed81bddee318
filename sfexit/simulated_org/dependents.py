"""Objects whose rows are only given through other rows: folders and their items, ideas and votes.

Object Reference: ContentFolder, ContentFolderItem, ContentFolderLink, ContentFolderMember,
ContentWorkspace, Idea, IdeaComment, Vote. Every row here can be reached from its parents.
"""

from __future__ import annotations

from .refusals import refused
from .schema import SObject, make

#: Folders that are the root of a library; they come first among the folders.
LIBRARIES = 3
_FOLDERS = 12
_ITEM_PREFIX = "07H"
_ITEM_BASE = 1000  # of folders; an item that is a folder has that folder's id


def dependent_objects() -> list[SObject]:
    """Libraries with a tree of folders, ideas with comments and votes."""
    setup = ("createable", "deletable", "updateable")
    made = [
        make(
            "ContentWorkspace",
            "058",
            "Name string(255) gen=product name required\nDescription string(255)\n"
            "RootContentFolderId ref(ContentFolder) gen=nth:ContentFolder rel=RootContentFolder\n"
            "WorkspaceType picklist(generic)",
            system="nodelete",
            fixed=LIBRARIES,
            flags=(*setup, "layoutable"),
        ),
        make(
            "ContentFolder",
            _ITEM_PREFIX,
            "Name string(255) gen=product name required\n"
            f"ParentContentFolderId ref(ContentFolder) gen=over:{LIBRARIES} rel=",
            system="nodelete",
            fixed=_FOLDERS,
            id_base=_ITEM_BASE,
            flags=setup,
        ),
        make(
            "ContentFolderItem",
            "",
            f"IsFolder boolean gen=below:ContentFolder:{LIBRARIES}\n"
            "ParentContentFolderId ref(ContentFolder) "
            f"gen=tree:ContentFolder:{LIBRARIES} required rel=\n"
            "Title string(255) gen=product name\nContentSize int gen=size",
            system="nodelete",
            fixed=30,
            id_prefix=_ITEM_PREFIX,
            id_base=_ITEM_BASE + LIBRARIES,
            flags=("layoutable",),
        ),
        make(
            "ContentFolderLink",
            "07v",
            "ParentEntityId ref(ContentWorkspace) gen=nth:ContentWorkspace required rel=\n"
            "ContentFolderId ref(ContentFolder) gen=nth:ContentFolder required rel=\n"
            "EnableFolderStatus string(20) gen=const:C",
            system="only_id",
            fixed=LIBRARIES,
            flags=(),
        ),
        make(
            "ContentFolderMember",
            "07I",
            "ParentContentFolderId ref(ContentFolder) gen=nth:ContentFolder required rel=\n"
            "ChildRecordId ref(ContentDocument) required rel=",
            system="full",
            fixed=25,
            flags=setup,
        ),
        make(
            "Idea",
            "087",
            "Title string(255) gen=subject name required\nBody textarea(32000)\n"
            "CommunityId string(18) gen=null\nNumComments int\nVoteTotal double(18,0)",
            fixed=4,
            flags=(*setup, "replicateable", "searchable"),
        ),
        make(
            "IdeaComment",
            "00a",
            "IdeaId ref(Idea) gen=nth:Idea required\nCommunityId string(18) gen=null\n"
            "CommentBody textarea(4000)",
            fixed=15,
            id_base=700_000_000,
            associate=("Comment", "Idea"),
            flags=(*setup, "replicateable", "searchable"),
        ),
        make(
            "Vote",
            "083",
            "ParentId ref(Idea,IdeaComment) required rel=Parent\nType picklist(generic) required",
            fixed=15,
            flags=(*setup, "replicateable"),
        ),
    ]
    return [refused(o) for o in made]
