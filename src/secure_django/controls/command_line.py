"""What the command of a run of pytest names."""

import pytest

# With these in the command, only a part of the tests is meant to run.
SELECTING = {"-k", "-m", "--deselect", "--ignore", "--ignore-glob", "--co"}
SELECTING |= {"--collect-only", "--lf", "--last-failed", "--sw", "--stepwise"}


def names_paths(config: pytest.Config) -> bool:
    """Return whether the command names files or folders, by being in one too.

    Those in a configuration file do not count. The processes of pytest-xdist receive
    the words of the command, and read the same files.
    """
    command = config.invocation_params
    if command.dir != config.rootpath:
        return True
    words = {str(word) for word in command.args}
    is_by_argument = config.args_source is pytest.Config.ArgsSource.ARGS
    return is_by_argument and not words.isdisjoint(config.args)


def is_selection(config: pytest.Config) -> bool:
    """Return whether the command names tests. Options in a file do not count."""
    return names_paths(config) or any(
        word.partition("=")[0] in SELECTING or word[:2] in SELECTING
        for word in config.invocation_params.args
    )
