"""What the command of a run of pytest names."""

import pytest


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
