"""A pytest plugin that knows which tests were collected, in whatever process."""

from typing import Any

import pytest

# The ids of all tests that were collected, with the ids of their controls.
COLLECTED = pytest.StashKey[dict[str, list[str]]]()
WORKER_OUTPUT = "secure_django_collected"


def collected_tests(config: pytest.Config) -> dict[str, list[str]]:
    return config.stash.setdefault(COLLECTED, {})


def is_worker(config: pytest.Config) -> bool:
    """Return whether pytest-xdist has started this process: it runs a part."""
    return hasattr(config, "workerinput")


def pytest_itemcollected(item: pytest.Item) -> None:
    controls = [marker.args[0] for marker in item.iter_markers("control")]
    item.user_properties += [("control", control) for control in controls]
    collected_tests(item.config)[item.nodeid] = controls


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take what a process of pytest-xdist has collected: this one collects nothing."""
    output = getattr(node, "workeroutput", {})  # a process that was killed has none
    collected_tests(node.config).update(output.get(WORKER_OUTPUT, {}))


def pytest_sessionfinish(session: pytest.Session) -> None:
    config = session.config
    if is_worker(config):
        config.workeroutput[WORKER_OUTPUT] = collected_tests(config)  # type: ignore[attr-defined]
