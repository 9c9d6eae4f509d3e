import re
from functools import cache
from secrets import token_urlsafe

import pytest
from django.conf import settings

from secure_django.conf import defaults
from secure_django.testing import start

# The headers by which the site knows the client and the protocol.
TRUSTED = {"Host", "X-Forwarded-For", "X-Forwarded-Proto", "X-Request-ID"}


@cache
def configuration() -> str:
    file = settings.BASE_DIR / "deploy" / "site.conf"
    return str(file.read_text(encoding="utf-8"))


def servers() -> list[str]:
    """Return the blocks of plain HTTP and of HTTPS."""
    blocks = r"^server \{\n(.*?)^\}"
    return re.findall(blocks, configuration(), re.MULTILINE | re.DOTALL)


def http() -> str:
    first, _ = servers()
    return first


def https() -> str:
    _, second = servers()
    return second


def find_values(directive: str, text: str | None = None) -> list[str]:
    pattern = rf"^[^#\n]*\b{directive} (.+);"
    return re.findall(pattern, text or configuration(), re.MULTILINE)


def test_nginx_accepts_every_body_that_the_site_does() -> None:
    limit = (
        max(map(int, re.findall(r"client_max_body_size (\d+)m;", configuration())))
        * 1024**2
    )
    # Not those of a project, which may have fixed one of the two.
    largest = limit - (defaults.BODY_MAX_BYTES - (defaults.UPLOAD_MAX_BYTES or 0))
    error = start(UPLOAD_MAX_BYTES=str(largest + 1)).stderr
    assert f"UPLOAD_MAX_BYTES: Must be a whole number from 1 to {largest}." in error


@pytest.mark.control("V12.1.1")
def test_nginx_offers_tls_1_2_and_1_3_alone() -> None:
    assert find_values("ssl_protocols") == ["TLSv1.2 TLSv1.3"]


@pytest.mark.control("V12.1.2")
def test_nginx_offers_ciphers_with_forward_secrecy_alone() -> None:
    assert find_values("ssl_ciphers") == ["ECDHE+AESGCM:ECDHE+CHACHA20"]


@pytest.mark.control("hardening")
def test_nginx_redirects_plain_http() -> None:
    assert "return 301 https://" in http()
    assert find_values("proxy_pass", http()) == []


@pytest.mark.control("hardening")
def test_nginx_serves_no_file_of_a_user() -> None:
    folders = find_values("(?:root|alias)")
    assert sorted(folders) == ["/srv/error-pages", "/var/www/acme"]


@pytest.mark.control("hardening")
def test_nginx_sets_every_header_that_the_site_trusts() -> None:
    headers = dict(value.split(maxsplit=1) for value in find_values("proxy_set_header"))
    assert headers.keys() >= TRUSTED
    for value in headers.values():
        assert not re.search(r"\$http_|\$proxy_add_x_forwarded_for", value)
    # A location with one such line would inherit none of the server.
    indentations = re.findall(r"^( *)proxy_set_header", configuration(), re.MULTILINE)
    assert set(indentations) == {" " * 4}


@pytest.mark.control("hardening")
def test_nginx_limits_each_network() -> None:
    assert find_values("proxy_request_buffering", https()) == ["on"]
    for directive in ("client_header_timeout", "client_body_timeout"):
        (seconds,) = find_values(directive, https())
        assert int(seconds.removesuffix("s")) <= 20
    zones = set(
        re.findall(r"^limit_conn_zone .+ zone=(\w+):", configuration(), re.MULTILINE)
    )
    limits = [value.split()[0] for value in find_values("limit_conn", https())]
    assert set(limits) == zones == {"requests", "large"}
    (limit,) = find_values("limit_req", https())
    assert limit == "zone=posts burst=100"


@pytest.mark.control("hardening")
def test_nginx_logs_no_link_with_a_token() -> None:
    location = r'^    location ~ "(.+)" \{\n(.*?)^    \}'
    ((pattern, block),) = re.findall(location, https(), re.MULTILINE | re.DOTALL)
    for path in ("/accounts/password/reset/key/1-a/", f"/shared/{token_urlsafe()}/"):
        assert re.search(pattern, path)
    # An error would name the URL.
    assert find_values("error_log", block) == ["/dev/null emerg"]
    # At `warn`, nginx names the URL of each request with a large body.
    levels = {value.split()[-1] for value in find_values("error_log")}
    assert levels <= {"error", "emerg"}
    for log in find_values("access_log", https()):
        assert " if=$" in log
