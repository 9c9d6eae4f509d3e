"""The files of each feature, and the tests that are about one.

A fork may remove a feature: its prompt, its files, and what the lists have for it. The
tests of the feature are then skipped, and named at the end of the run. A test is about
a feature if it generates a project with it, or if it has a marker:

    @pytest.mark.feature("gallery")
"""

from tests.support.baking import REMOVED, need

# A second copy on purpose, to test the hook's own table.
FEATURE_PATHS = {
    "gallery": ["gallery"],
    "github": [".github"],
    "gitlab": [".gitlab-ci.yml"],
    "renovate": ["renovate.json"],
    "server": [
        ".github/workflows/image.yml",
        "compose.yaml",
        "deploy",
        "docs/containers.md",
        "docs/deployment.md",
        "docs/operations.md",
    ],
    "platform": ["docs/platforms.md", "nginx"],
}


def removed_owner(path: str) -> str:
    """Return the removed feature that had a file of the raw folder, or nothing."""
    for feature in REMOVED & FEATURE_PATHS.keys():
        if any(f"{path}/".startswith(f"{it}/") for it in FEATURE_PATHS[feature]):
            return feature
    return ""


def need_file(path: str) -> None:
    """Skip the test if the file went with its feature."""
    owner = removed_owner(path)
    if owner:
        need(owner)
