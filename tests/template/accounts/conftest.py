"""A project with the accounts app, and its mail server.

Four processes serve it, and trust one proxy.
"""

import shutil
import threading
from collections.abc import Iterator

import pytest

from tests.support.accounts import CREATE_USERS, Mailbox
from tests.support.baking import ALL_ON, Project
from tests.support.live import Site, serve, working


@pytest.fixture(scope="session")
def mailbox() -> Iterator[Mailbox]:
    """Return the mail server of the site."""
    with Mailbox() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture(scope="session")
def site(
    pristine: Project, mailbox: Mailbox, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    """Return the running project, which all tests of this folder share."""
    folder = tmp_path_factory.mktemp("accounts") / "my-secure-site"
    project = shutil.copytree(
        pristine(ALL_ON | {"cloudinary_moderation": False}), folder
    )
    changes = {
        "EMAIL_URL": f"smtp://127.0.0.1:{mailbox.server_address[1]}",
        "CHECK_BREACHED_PASSWORDS": "off",
        "TRUSTED_PROXY_COUNT": "1",
        "WEB_CONCURRENCY": "4",
    }
    with serve(project, CREATE_USERS, **changes) as served, working(served):
        yield served
