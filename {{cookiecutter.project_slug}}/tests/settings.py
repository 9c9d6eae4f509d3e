"""The project's settings in a production environment, for tests and checks."""

from pathlib import Path

from secure_django.conf.testing import adapt, prepare

prepare(Path(__file__).parents[1])  # no developer's .env

from config.settings import *

adapt(globals())
