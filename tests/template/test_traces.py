"""A started site has nothing of a feature that was not chosen."""

import json
import re
import sys
from pathlib import Path

import pytest

from tests.support.baking import (
    ALL_OFF,
    ALL_ON,
    FEATURES,
    Answers,
    Project,
    name,
    production,
    run,
)

# What the site has in memory after its first page, and in its database.
LOOK = """
import json, sys
from config.wsgi import application
from django.apps import apps
from django.conf import settings
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.urls import get_resolver

def routes(patterns, prefix=""):
    for pattern in patterns:
        route = prefix + str(pattern.pattern)
        yield route
        yield from routes(getattr(pattern, "url_patterns", ()), route)


call_command("migrate", verbosity=0)
page = Client().get("/health/live/", headers={"host": "example.com"})
assert page.status_code == 200
print(json.dumps({
    "modules": sorted(sys.modules),
    "urls": [*routes(get_resolver().url_patterns)],
    "tables": connection.introspection.table_names(),
    "settings": [name for name in dir(settings) if name.isupper()],
}))
"""
TRACES = {
    "gallery": r"^gallery\b|galler(?:y|ies)_",
    "cloudinary_moderation": r"cloudinary",
    "auth_app": (
        r"secure_django[._]accounts|allauth[._](?:mfa|usersessions)|\bmfa_|^MFA_|fido2"
        r"|usersessions_|/(?:2fa|signup|sessions)/|humanize"
    ),
}
# A fork may have removed one.
OFFERED = [feature for feature in TRACES if feature in FEATURES]


def look(project: Path) -> dict[str, list[str]]:
    """Return the names of what a started site has, by their kinds."""
    environment = production(project) | {"DJANGO_SETTINGS_MODULE": "config.settings"}
    output = run(project, sys.executable, "-c", LOOK, **environment)
    found: dict[str, list[str]] = json.loads(output.splitlines()[-1])
    return found


@pytest.mark.parametrize(
    "answers",
    [
        ALL_OFF,
        *(
            pytest.param(ALL_ON | {feature: False}, marks=pytest.mark.tier("whole"))
            for feature in OFFERED
        ),
    ],
    ids=name,
)
def test_started_site_has_no_trace_of_other_features(
    answers: Answers, project: Project
) -> None:
    found = look(project(answers))
    traces = [
        f"{kind}: {word}"
        for feature, pattern in TRACES.items()
        if not answers.get(feature)
        for kind, words in found.items()
        for word in words
        if re.search(pattern, word)
    ]
    assert not traces


@pytest.mark.tier("whole")
def test_started_site_has_the_features_that_were_chosen(project: Project) -> None:
    found = look(project(ALL_ON))
    words = [word for words in found.values() for word in words]
    for feature in OFFERED:
        pattern = TRACES[feature]
        assert any(re.search(pattern, word) for word in words), pattern
