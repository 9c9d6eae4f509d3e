"""Score features that the authors of the guard have not read: README.md says how.

`python -m benchmarks.unseen` pastes an access table for each feature without a thought
(pasting.py), runs the project's checks and other tools (others.py), and counts which
weaknesses they name, by the rule of tests.guard.hurried.
"""

from pathlib import Path

FOLDER = Path(__file__).parent
