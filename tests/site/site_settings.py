"""The settings of the test site, in a production environment."""

from pathlib import Path

from secure_django.conf.testing import adapt, prepare

prepare(Path(__file__).parent)

from config.settings import *

adapt(globals())
INSTALLED_APPS = [*INSTALLED_APPS, "example"]
GUARD_PACKAGES = ["secure_django"]
