"""Print where the documents of the package are on this machine, with their titles."""

from pathlib import Path

FOLDER = Path(__file__).parent


def main() -> None:
    package = FOLDER.parent
    for path in sorted(package.rglob("*.md")):
        title = path.read_text(encoding="utf-8").partition("\n")[0].lstrip("# ")
        print(f"{path}  {title}")


if __name__ == "__main__":
    main()
