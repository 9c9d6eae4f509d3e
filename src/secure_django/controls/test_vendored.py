"""The package's source in vendor/ is the release's: an edit by accident is red."""

from django.conf import settings

from secure_django.commands.vendored import find_problems


def test_vendored_package_is_the_release() -> None:
    assert find_problems(settings.BASE_DIR) == []
