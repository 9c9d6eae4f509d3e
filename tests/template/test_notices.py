"""Emails about decisions from several workers at once, one of which dies.

Each owner is told, and none twice.
"""

import re
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path

import pytest

from tests.support.accounts import Mailbox, plain_text
from tests.support.baking import ALL_OFF, Project, clean_environment, production, run
from tests.support.live import HANG_SECONDS
from tests.support.services import wait_until

pytestmark = pytest.mark.tier("whole")

OWNERS, PHOTOS = 60, 3
CREATE = f"""
from datetime import timedelta
from django.utils import timezone
from secure_django.photos.models import Photo, Status
reviewer = User.objects.create_user("reviewer@example.com")
for number in range({OWNERS}):
    owner = User.objects.create_user(f"owner{{number}}@example.com")
    for photo in range({PHOTOS}):
        Photo.objects.create(
            owner=owner,
            purpose="test",
            title=f"Photo {{number}}-{{photo}}",
            width=1,
            height=1,
            display_size=1,
            thumbnail_size=1,
            status=Status.APPROVED,
            notify_at=timezone.now() - timedelta(seconds=photo),
        )
"""
# Until nothing is left but what a dead worker has claimed.
WORK = """
from secure_django.mail import outbox as mail
from secure_django.models import Mail
from secure_django.photos.notices import due_notices, send_due_notices
while due_notices().exists() or Mail.objects.due().exists():
    send_due_notices()
    mail.send_waiting()
"""
END_CLAIMS = """
from secure_django.models import Mail
Mail.objects.update(claimed_until=None)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is needed")
@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_workers_tell_each_owner_once(
    database: str, project: Project, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    folder = project(ALL_OFF)
    with Mailbox() as mailbox:
        threading.Thread(target=mailbox.serve_forever, daemon=True).start()
        environment = production(folder) | {
            "EMAIL_URL": f"smtp://127.0.0.1:{mailbox.server_address[1]}",
            "MEDIA_ROOT": str(tmp_path / "media"),
        }
        if database == "postgresql":
            environment["DATABASE_URL"] = request.getfixturevalue(database)()
        manage = [sys.executable, "manage.py"]
        run(folder, *manage, "migrate", "--verbosity", "0", **environment)
        run(
            folder,
            *manage,
            "shell",
            "--verbosity",
            "0",
            "--command",
            CREATE,
            **environment,
        )
        command = [*manage, "shell", "--verbosity", "0", "--command", WORK]
        workers = [
            subprocess.Popen(command, cwd=folder, env=clean_environment() | environment)
            for _ in range(4)
        ]
        wait_until(lambda: len(mailbox.messages) > OWNERS // 4, "nobody is told")
        workers[0].kill()
        codes = [worker.wait(HANG_SECONDS) for worker in workers]
        assert codes[1:] == [0, 0, 0]
        run(folder, *command[:-1], END_CLAIMS + WORK, **environment)
        mailbox.shutdown()
    told = Counter(message["To"] for message in mailbox.messages)
    assert len(told) == OWNERS
    # The killed worker may have sent one without noting it: mail programs show the two
    # copies as one.
    assert told.total() <= OWNERS + 1
    assert len({message["Message-ID"] for message in mailbox.messages}) == OWNERS
    for message in mailbox.messages:
        number = re.findall(r"\d+", message["To"])[0]
        titles = set(re.findall(r'"Photo (\S+)"', plain_text(message)))
        assert titles == {f"{number}-{photo}" for photo in range(PHOTOS)}
