"""The files of a feature that a fork has removed.

A fork may remove a feature: its prompt, its files, and what the lists have for it. The
tests of the feature are then skipped, and named at the end of the run. A test is about
a feature if it generates a project with it, or if it has a marker:

    @pytest.mark.feature("gallery")
"""

from tests.support.baking import REMOVED


def removed_owner(path: str) -> str:
    """Return the removed feature that had a file of the raw folder, or nothing.

    Of the features that a fork may remove, the gallery has files. Its folder has the
    name of its prompt.
    """
    folder = path.partition("/")[0]
    return folder if folder in REMOVED else ""
