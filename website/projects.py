"""Generate the projects whose documents the site shows."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def generate(folder: Path) -> tuple[Path, Path]:
    """Return a project for a server and one for a platform, with every feature."""
    return generate_for(folder, "server"), generate_for(folder, "platform")


def generate_for(folder: Path, deployment: str) -> Path:
    """Generate a project with every feature, whatever a fork has as defaults."""
    output = folder / deployment
    output.mkdir()
    config = output / "config.yaml"
    folders = {"replay_dir": str(output), "cookiecutters_dir": str(output)}
    config.write_text(json.dumps(folders), encoding="utf-8")
    command = [sys.executable, "-m", "cookiecutter", "--no-input", "--config-file"]
    command += [str(config), "--output-dir", str(output), str(ROOT)]
    prompts = json.loads((ROOT / "cookiecutter.json").read_text(encoding="utf-8"))
    features = [name for name, value in prompts.items() if isinstance(value, bool)]
    command += [f"{feature}=yes" for feature in features]
    command += [f"deployment={deployment}", "ci_scanning=github", "_package=vendor"]
    subprocess.run(command, check=True, capture_output=True)
    (project,) = (path for path in output.iterdir() if path.is_dir())
    return project
