"""Name the images of a project that have no digest.

    python -m secure_django.commands.images

A tag can be moved, a digest cannot. This is information, and no error: Dependabot adds
no digest to a tag, raises none in a workflow, and a tag with a variable has many.

A team writes a digest once for an image. So the advice names programs that a machine
with containers has, and the package has no client of registries.
"""

import re
from collections.abc import Iterator
from pathlib import Path

FILES = (
    "Dockerfile",
    "*/Dockerfile",
    "compose.yaml",
    ".gitlab-ci.yml",
    ".github/workflows/*.yml",
)
# FROM NAME:TAG, image: NAME:TAG, services: [NAME:TAG]
IMAGE = re.compile(
    r"^(?:FROM| *image:| *services: \[) *([\w./-]+:[^\s\]#,]+)", re.MULTILINE
)
PINNED = re.compile(r".+@sha256:[0-9a-f]{64}")
ADVICE = (
    "Renovate adds digests. For Dependabot, write NAME:TAG@sha256:… once, as"
    " `docker buildx imagetools inspect NAME:TAG` or `skopeo inspect"
    " docker://NAME:TAG` prints it: it raises both from then on, except in workflows."
)


def unpinned_images(folder: Path) -> Iterator[str]:
    """Yield each file with an image that has no digest."""
    for pattern in FILES:
        for path in sorted(folder.glob(pattern)):
            text = path.read_text(encoding="utf-8")
            for image in dict.fromkeys(IMAGE.findall(text)):
                if not PINNED.fullmatch(image):
                    yield f"{path.relative_to(folder).as_posix()}: {image}"


def main() -> None:
    lines = list(unpinned_images(Path.cwd()))
    print(*lines or ["Each image has a digest."], sep="\n")
    if lines:
        print(ADVICE)


if __name__ == "__main__":
    main()
