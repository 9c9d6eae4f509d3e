"""Headers, cookies and error pages, as browsers receive them."""

import re
from typing import Any
from unittest.mock import Mock

import pytest
from django.core.signals import request_started
from django.db import connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.test import RequestFactory
from django.urls import reverse_lazy
from django.views.decorators.cache import cache_page
from django.views.decorators.vary import vary_on_headers
from pytest_django import Settings

from config.wsgi import application
from secure_django.checks import check_environment
from secure_django.testing import (
    LOGIN,
    PRIVATE,
    HTTPSClient,
    Login,
    MakeUser,
)
from secure_django.web.client import client_ip
from secure_django.web.error_pages import error_page
from secure_django.web.links import absolute_url, own_host
from secure_django.web.middleware import (
    ResponseHeadersMiddleware,
    begin_links_with_site_url,
)
from users.models import User

pytestmark = pytest.mark.django_db


def test_scripts_of_the_admin_run_by_their_nonce(
    login: Login, make_user: MakeUser
) -> None:
    page = login(make_user("admin@example.com", is_staff=True, is_superuser=True)).get(
        "/admin/users/user/"
    )
    (nonce,) = set(re.findall(r'nonce="([^"]+)"', page.text))
    assert f"'nonce-{nonce}'" in page.headers["Content-Security-Policy"]


def test_page_of_a_refused_form_says_what_to_do(
    site_responses: dict[str, Any],
) -> None:
    assert "send it again" in site_responses["forged"].text


@pytest.mark.control("V3.4.7")
def test_csp_violation_is_logged_without_query_strings(
    site_responses: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    # Browsers send reports without a token.
    client = HTTPSClient(enforce_csrf_checks=True)
    policy = site_responses["log-in"].headers["Content-Security-Policy"]
    assert "report-uri /csp-report/; report-to csp" in policy
    assert (
        site_responses["log-in"].headers["Reporting-Endpoints"] == 'csp="/csp-report/"'
    )
    urls = (
        "https://testserver/accounts/reset/MQ/token/?key=private",
        "https://evil.example/a.js?key=private#private",
    )
    old = {
        "document-uri": urls[0],
        "blocked-uri": urls[1],
        "effective-directive": "script-src",
        "referrer": "private",
    }
    new = {
        "documentURL": urls[0],
        "blockedURL": urls[1],
        "effectiveDirective": "script-src",
        "sample": "private",
    }
    for report in (
        {"csp-report": old},
        [{"type": "csp-violation", "body": new, "user_agent": "private"}],
    ):
        caplog.clear()
        assert (
            client.post(
                "/csp-report/", report, content_type="application/json"
            ).status_code
            == 204
        )
        (record,) = [record for record in caplog.records if record.name == "security"]
        assert (record.levelname, record.getMessage()) == ("WARNING", "csp_violation")
        values = sorted(getattr(record, "fields")["violation"].values())  # noqa: B009
        assert values == [
            "https://evil.example/a.js",
            "https://testserver/accounts/reset/…",
            "script-src",
        ]


@pytest.mark.control("V3.4.7")
def test_csp_reports_are_limited(
    login: Login, user: User, caplog: pytest.LogCaptureFixture
) -> None:
    client = login(user)
    caplog.clear()

    def post(body: str) -> int:
        return client.post(
            "/csp-report/", body, content_type="application/csp-report"
        ).status_code

    session = dict(client.session)
    for body in (
        " " * 16_385,
        " " * 16_384,
        "",
        "[]]",
        "[" * 9_000,
        "7",
        "[7]",
        '{"csp-report": 7}',
        '[{"body": null}]',
    ):
        assert post(body) == 400
    long = '[{"body": {"blockedURL": "' + "a" * 300 + '"}}'
    assert post(long + ', {"body": {}}' * 1_000 + "]") == 204
    records = [vars(record) for record in caplog.records if record.name == "security"]
    assert len(records) == 10
    assert records[0]["fields"]["violation"] == {"blockedURL": "a" * 200}
    assert {post("[]") for _ in range(20)} == {204, 429}
    assert dict(client.session) == session


@pytest.mark.control("V3.4.3")
def test_policy_that_only_reports_is_warned_of(settings: Settings) -> None:
    sqlite = ["secure_django.I001"] if connection.vendor == "sqlite" else []
    for settings.DEBUG, settings.CSP_REPORT_ONLY, ids in (
        (False, False, sqlite),
        (False, True, ["secure_django.W001", *sqlite]),
        (True, False, []),
    ):
        assert [message.id for message in check_environment()] == ids


@pytest.mark.parametrize(
    "address", ["/health/live/", "/health/ready/", "/.well-known/security.txt"]
)
def test_page_without_a_form_refuses_one(client: HTTPSClient, address: str) -> None:
    assert client.post(address).status_code == 405


def test_each_error_page_has_a_text_of_its_own_and_leads_home() -> None:
    names = ["400", "403", "403_csrf", "404", "405", "413", "429", "500", "503"]
    pages = [error_page(HttpRequest(), name=name).text for name in names]
    headings = {page.partition("<h1>")[2].partition("<")[0] for page in pages}
    assert len(headings) == len(names)
    assert all('<a class="button" href="/">' in page for page in pages)


def test_answer_of_an_api_to_an_unused_method_is_kept(rf: RequestFactory) -> None:
    middleware = ResponseHeadersMiddleware(
        lambda request: JsonResponse({"code": "method"}, status=405)
    )
    answer: Any = middleware(rf.get("/"))
    assert answer.content == b'{"code": "method"}'


@pytest.mark.control("V4.1.3")
@pytest.mark.parametrize(
    ("entry", "ip"),
    {
        "203.0.113.7:51234": "203.0.113.7",
        "::ffff:203.0.113.7": "203.0.113.7",
        "[::ffff:203.0.113.7]:443": "203.0.113.7",
        "2001:DB8::1": "2001:db8::1",
        "[2001:db8::1]": "2001:db8::1",
        "[2001:db8::1]:443": "2001:db8::1",
    }.items(),
)
def test_ip_address_is_read_with_port_and_brackets(
    entry: str, ip: str, rf: Any, settings: Settings
) -> None:
    settings.TRUSTED_PROXY_COUNT = 1
    assert client_ip(rf.get("/", HTTP_X_FORWARDED_FOR=f"198.51.100.1, {entry}")) == ip


@pytest.mark.control("V4.1.3")
@pytest.mark.parametrize(
    "sent",
    [
        None,
        "",
        "2.2.2.2",
        "unknown, 1.1.1.1",
        "[::1, 1.1.1.1",
        "1.1.1.1:x, 1.1.1.1",
        ", ",
    ],
)
def test_request_without_a_clients_ip_address_is_refused(
    sent: str | None, client: HTTPSClient, settings: Settings
) -> None:
    settings.TRUSTED_PROXY_COUNT = 2
    headers = {"x-forwarded-proto": "https"} | (
        {} if sent is None else {"x-forwarded-for": sent}
    )
    for url in (LOGIN, "/admin/", "/missing/", "/static/site.css"):
        assert client.get(url, headers=headers).status_code == 400
    assert client.get("/health/live/", headers=headers).status_code == 200


@pytest.mark.control("V4.1.1")
@pytest.mark.parametrize("path", [LOGIN, PRIVATE, "/admin/", "/missing/", "/static/x"])
def test_other_charset_is_refused_with_every_header(
    path: str, rf: RequestFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    # It would close the test's connection to the database.
    monkeypatch.setattr(request_started, "send", Mock())
    for charset in (
        "=utf-16",
        " = UTF-16",
        "=rot13",
        "=zlib_codec",
        "=idna",
        "=undefined",
        "=unknown",
        "=\xe9",
        "=utf-8; charset=utf-16",
        "*=unknown''x",
        "*=utf-16''%00",
    ):
        for kind in (
            "application/x-www-form-urlencoded",
            "multipart/form-data; boundary=x",
            "text/plain",
        ):
            # Django would decode the query before any middleware.
            request = rf.generic("POST", f"{path}?a=%ff", b"a=%ff", secure=True)
            start_response = Mock()
            environ = request.environ | {"CONTENT_TYPE": f"{kind}; charset{charset}"}
            body = b"".join(application(environ, start_response))
            status, headers = start_response.call_args.args
            assert (status, b"<h1>Bad request</h1>" in body) == (
                "400 Bad Request",
                True,
            ), charset
            assert {"Content-Security-Policy", "X-Content-Type-Options"} <= dict(
                headers
            ).keys()


UTF_8_TYPES = (
    "application/json; charset=utf-8",
    "application/json; charset=UTF8",
    'application/json; charset = "utf-8"; a=b',
    "application/json;charset=utf-8;charset=utf8",
    "multipart/form-data; boundary=----x'()+_,-./:=?",
)


@pytest.mark.control("V4.1.1")
@pytest.mark.parametrize("kind", UTF_8_TYPES)
def test_query_of_too_many_fields_is_refused_with_every_header(
    kind: str, rf: RequestFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(request_started, "send", Mock())
    query = "&".join(f"a{number}=1" for number in range(1100))
    # With a charset, Django would read the query before any middleware.
    request = rf.get(f"/missing/?{query}", secure=True)
    start_response = Mock()
    environ = request.environ | {"CONTENT_TYPE": kind}
    body = b"".join(application(environ, start_response))
    status, headers = start_response.call_args.args
    assert status == "400 Bad Request"
    assert b"<h1>Bad request</h1>" in body
    assert "Content-Security-Policy" in dict(headers)


@pytest.mark.django_db
def test_every_spelling_of_utf_8_is_accepted(
    rf: RequestFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(request_started, "send", Mock())
    for kind in UTF_8_TYPES:
        request = rf.generic("POST", "/csp-report/", b"[]", kind, secure=True)
        start_response = Mock()
        body = b"".join(application(request.environ, start_response))
        # The page reads JSON alone, and is reached by each.
        if kind.startswith("multipart"):
            assert b"Send the content type" in body
        else:
            assert start_response.call_args.args[0] == "204 No Content", kind


@pytest.mark.control("V16.5.1")
def test_malformed_body_gets_the_designed_page(user: User) -> None:
    client = HTTPSClient(
        enforce_csrf_checks=True, headers={"referer": "https://testserver/"}
    )
    client.force_login(user)
    client.cookies["__Host-csrftoken"] = "a" * 32
    for kind in (
        "multipart/form-data",
        "multipart/form-data; boundary=\xe9",
        "multipart/form-data; boundary=x",
    ):
        response = client.generic(
            "POST", PRIVATE, b"--x\r\nnonsense", kind, CONTENT_LENGTH="-1"
        )
        assert response.status_code == 400
        assert b"<h1>Bad request</h1>" in response.content
        # Unread, so the body makes no difference.
        assert client.generic("POST", "/missing/", b"nonsense", kind).status_code == 404


@pytest.mark.control("V5.2.1")
@pytest.mark.parametrize("debug", [False, True])
def test_too_large_body_gets_the_designed_page_and_is_read(
    debug: bool, client: HTTPSClient, login: Login, user: User, settings: Settings
) -> None:
    settings.DEBUG = debug
    settings.BODY_MAX_BYTES = 100_000
    for visitor, url in ((client, LOGIN), (login(user), "/accounts/password/change/")):
        for kind in (
            "multipart/form-data; boundary=x",
            "application/x-www-form-urlencoded",
            "application/json",
        ):
            response = visitor.generic("POST", url, b"x" * 100_001, kind)
            assert (
                response.status_code,
                b"<h1>Too large</h1>" in response.content,
            ) == (413, True)
            # Unread, it would reset the connection before the browser has the page.
            assert not response.wsgi_request.read()
    assert (
        HTTPSClient()
        .generic("POST", "/accounts/password/change/", b"x" * 100_001)
        .status_code
        == 302
    )


@pytest.mark.control("V5.2.1")
def test_too_long_text_gets_the_designed_page(client: HTTPSClient) -> None:
    for kind in (
        "multipart/form-data; boundary=x",
        "application/x-www-form-urlencoded",
    ):
        text = (
            b'--x\r\nContent-Disposition: form-data; name="login"\r\n\r\n'
            + b"x" * 2_700_000
        )
        response = client.generic("POST", LOGIN, text, kind)
        assert (response.status_code, b"<h1>Too large</h1>" in response.content) == (
            413,
            True,
        )
        assert not response.wsgi_request.read()


@pytest.mark.control("V4.1.1")
def test_nul_in_url_or_cookie_is_refused(client: HTTPSClient) -> None:
    cookie = '__Host-sessionid="' + "\\000" * 32 + '"'
    assert client.get(PRIVATE, headers={"cookie": cookie}).status_code == 400
    assert client.get("/admin/r/1/%00/").status_code == 400


@pytest.mark.control("host")
def test_port_of_the_host_header_is_left_out_of_links(client: HTTPSClient) -> None:
    request = client.get(LOGIN, headers={"host": "testserver:1337"}).wsgi_request
    assert request.build_absolute_uri("/a/") == absolute_url("/a/")
    assert ":1337" not in absolute_url("/a/")
    assert client.get(LOGIN, headers={"host": "evil.example:1337"}).status_code == 400


def test_links_of_a_request_take_what_django_takes(client: HTTPSClient) -> None:
    request = client.get(LOGIN).wsgi_request
    django = RequestFactory(SERVER_NAME=own_host()).get(LOGIN, secure=True)
    lazy = reverse_lazy("account_login")
    texts = ["/a", "a", "", "?b", "//c/d", "///e", "/ü"]
    locations: list[Any] = [lazy, *texts, None]
    for location in locations:
        link = request.build_absolute_uri(location)
        assert link == django.build_absolute_uri(location)


def test_page_that_differs_by_host_is_cached_for_its_host(settings: Settings) -> None:
    settings.ALLOWED_HOSTS = [".example.com"]

    @cache_page(60)
    @vary_on_headers("Host")
    def show(request: HttpRequest) -> HttpResponse:
        return HttpResponse(request.get_host())

    for host in ("a.example.com", "b.example.com", "a.example.com"):
        request = RequestFactory().get("/", headers={"host": host})
        begin_links_with_site_url(request)
        assert show(request).text == host


def test_debug_keeps_the_port_of_the_development_server(
    client: HTTPSClient, settings: Settings
) -> None:
    settings.DEBUG = True
    request = client.get(LOGIN, headers={"host": "localhost:8000"}).wsgi_request
    assert request.build_absolute_uri("/a/") == "https://localhost:8000/a/"


@pytest.mark.control("V13.4.3")
def test_list_of_static_files_is_not_served(
    client: HTTPSClient, settings: Settings
) -> None:
    (settings.STATIC_ROOT / "staticfiles.json").write_text("{}", encoding="utf-8")
    assert client.get("/static/staticfiles.json").status_code == 404
