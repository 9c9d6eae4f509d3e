"""The nginx beside the site on a platform."""

import re

import pytest
from django.conf import settings

FOLDER = settings.BASE_DIR / "nginx"


def configuration() -> str:
    return str((FOLDER / "nginx.conf").read_text(encoding="utf-8"))


def find_values(directive: str, text: str | None = None) -> list[str]:
    pattern = rf"^[^#\n]*\b{directive} (.+);"
    return re.findall(pattern, text or configuration(), re.MULTILINE)


@pytest.mark.control("hardening")
def test_proxy_serves_no_file_and_runs_as_no_administrator() -> None:
    assert find_values("(?:root|alias)") == []
    assert set(find_values("proxy_pass")) == {"http://127.0.0.1:8000"}
    image = (FOLDER / "Dockerfile").read_text(encoding="utf-8")
    assert re.findall(r"^USER (.+)$", image, re.MULTILINE) == ["nginx"]


@pytest.mark.control("hardening")
def test_proxy_receives_a_request_whole_within_limits() -> None:
    assert find_values("proxy_request_buffering") == ["on"]
    for directive in ("client_header_timeout", "client_body_timeout"):
        (seconds,) = find_values(directive)
        assert int(seconds.removesuffix("s")) <= 20
    assert find_values("limit_conn") == ["large 40"]
    (megabytes,) = find_values("client_max_body_size")
    assert int(megabytes.removesuffix("m")) * 1024**2 >= settings.BODY_MAX_BYTES


@pytest.mark.control("hardening")
def test_proxy_logs_no_link_with_a_token() -> None:
    location = r'^        location ~ "(.+)" \{\n(.*?)^        \}'
    ((pattern, block),) = re.findall(
        location, configuration(), re.MULTILINE | re.DOTALL
    )
    for path in ("/accounts/password/reset/key/1-a/", f"/shared/{'a' * 43}/"):
        assert re.search(pattern, path)
    # An error would name the URL.
    assert find_values("error_log", block) == ["/dev/null emerg"]
    # At `warn`, nginx names the URL of each request with a large body.
    levels = {value.split()[-1] for value in find_values("error_log")}
    assert levels <= {"error", "emerg"}
    assert find_values("access_log") == ["off"]
