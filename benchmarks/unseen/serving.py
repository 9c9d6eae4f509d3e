"""Serve a feature to Schemathesis. It is copied into a generated project as a test.

No feature has an OpenAPI schema, so this one comes from the URLs: each route with the
methods that its view allows, the numbers of an owner's objects as examples, and the
names of the fields in its forms.
"""

# Imports are those of the generated project.
# mypy: ignore-errors
# ruff: noqa: ANN401, ARG001

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

from django.conf import settings
from django.http import HttpResponse
from django.test import Client

from secure_django.guard.access import (
    OWN_ROUTES,
    PARAMETER,
    app_of_view,
    is_login,
    roles,
)
from secure_django.guard.tables import objects_of
from secure_django.guard.users import new_user

APP = os.environ["SERVED_APP"]
COMMAND = os.environ["SCHEMATHESIS"].split()
REPORTS = Path("reports").resolve()
TOKEN = "a" * 32  # of CSRF
FIELD = re.compile(r"<(?:input|select|textarea)\b[^>]*\bname=\"([^\"]+)\"")
NO_FIELDS = {"csrfmiddlewaretoken"}
# Schemathesis speaks HTTP, and sends no header Origin.
PLAIN = {
    "MIDDLEWARE": ["tests.test_served.refuse", *settings.MIDDLEWARE],
    "SECURE_SSL_REDIRECT": False,
    "SESSION_COOKIE_NAME": "sessionid",
    "CSRF_COOKIE_NAME": "csrftoken",
    "ALLOWED_HOSTS": ["*"],
}


def refuse(get_response: Any) -> Any:
    """Answer 401 instead of a redirect to the log-in, which looks like a success."""

    def middleware(request: Any) -> Any:
        response = get_response(request)
        is_refusal = is_login(response.headers.get("Location", ""))
        return HttpResponse(status=401) if is_refusal else response

    return middleware


def test_served(transactional_db: None, settings: Any, request: Any) -> None:
    """Serve the feature until Schemathesis ends."""
    for name, value in PLAIN.items():
        setattr(settings, name, value)
    peers = {name: new_user() for name in ("owner", "other")}
    values = [make_objects(user) for user in peers.values()]
    clients = {name: client_of(user) for name, user in peers.items()}
    write("openapi.json", schema(clients["owner"], values[0]))
    write("peers.json", {"auth": [auth_of(*item) for item in clients.items()]})
    config = REPORTS / "schemathesis.toml"
    path = REPORTS / "peers.json"
    config.write_text(
        f'[auth.wfc]\npath = "{path}"\nuser = "owner"\npeers = ["owner", "other"]\n'
    )
    server = request.getfixturevalue("live_server")
    command = [*COMMAND, "--config-file", str(config), "run", "--url", server.url]
    command += [str(REPORTS / "openapi.json"), "--checks", "all"]
    command += ["--max-time", os.environ["SCHEMATHESIS_SECONDS"], "--no-color"]
    command += ["--report", "junit", "--report-junit-path", str(REPORTS / "schema.xml")]
    command += ["--max-failures", "1000", "--continue-on-failure", "--seed", "1"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    (REPORTS / "schemathesis.txt").write_text(done.stdout + done.stderr)


def write(name: str, content: Any) -> None:
    """Write a file of JSON."""
    (REPORTS / name).write_text(json.dumps(content, indent=1, default=str))


def make_objects(owner: Any) -> dict[str, Any]:
    """Make the objects of a user, as the access table does."""
    people = [new_user() for _ in roles(APP)]
    return objects_of(APP)(owner, *people)


def client_of(user: Any) -> Client:
    """Return a client that is logged in."""
    client = Client(raise_request_exception=False)
    client.force_login(user)
    return client


def auth_of(name: str, client: Client) -> dict[str, Any]:
    """Return a user's headers in the format of Web Fuzzing Commons."""
    session = client.cookies[settings.SESSION_COOKIE_NAME].value
    cookies = f"sessionid={session}; csrftoken={TOKEN}"
    headers = {"Cookie": cookies, "X-CSRFToken": TOKEN}
    fixed = [{"name": key, "value": value} for key, value in headers.items()]
    return {"name": name, "fixedHeaders": fixed}


def schema(client: Client, values: dict[str, Any]) -> dict[str, Any]:
    """Return the OpenAPI schema of the app's routes."""
    routes = [route for route in OWN_ROUTES if app_of_view(route) == APP]
    return {
        "openapi": "3.0.3",
        "info": {"title": APP, "version": "1"},
        "security": [{"session": []}],
        "components": {
            "securitySchemes": {
                "session": {"type": "apiKey", "in": "cookie", "name": "sessionid"}
            }
        },
        "paths": {
            PARAMETER.sub(r"{\1}", route): path_item(route, client, values)
            for route in routes
        },
    }


def path_item(route: str, client: Client, values: dict[str, Any]) -> dict[str, Any]:
    """Return what the schema says of a route."""
    url = PARAMETER.sub(lambda match: str(values.get(match[1], 0)), route)
    allowed = client.options(url).headers.get("Allow", "GET, POST")
    methods = [it.strip().lower() for it in allowed.split(",")]
    fields = sorted(set(FIELD.findall(text_of(client.get(url)))) - NO_FIELDS)
    item: dict[str, Any] = {
        "parameters": [parameter(name, values) for name in PARAMETER.findall(route)]
    }
    for method in methods:
        if method not in {"head", "options"}:
            item[method] = {"responses": {"200": {"description": "It worked."}}}
            if method != "get":
                item[method]["requestBody"] = body(fields)
    return item


def text_of(response: Any) -> str:
    """Return the text of a page, nothing for a file."""
    return "" if response.streaming else response.content.decode(errors="replace")


def parameter(name: str, values: dict[str, Any]) -> dict[str, Any]:
    """Return what the schema says of a parameter of a URL."""
    value = values.get(name, 0)
    kind = "integer" if isinstance(value, int) else "string"
    return {
        "name": name,
        "in": "path",
        "required": True,
        "schema": {"type": kind},
        "example": value if kind == "integer" else str(value),
    }


def body(fields: list[str]) -> dict[str, Any]:
    """Return the body of a form or, if the page has none, of JSON."""
    properties = {name: {"type": "string"} for name in fields}
    kind = "application/x-www-form-urlencoded" if fields else "application/json"
    schema = {"type": "object", "properties": properties}
    return {"content": {kind: {"schema": schema}}}
