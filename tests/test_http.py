"""JSON of requests: malformed bodies end in status 400 and a sentence."""

from typing import Any

import pytest
from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import BadRequest
from django.http import HttpRequest, JsonResponse
from django.test import RequestFactory
from django.urls import path

from config.urls import handler400
from secure_django.http import MAX_BYTES, json_body
from secure_django.testing import HTTPSClient

__all__ = ["handler400"]

JSON = "application/json"
MALFORMED = [
    (b"", "it is no JSON"),
    (b"{", "it is no JSON"),
    (b"{'a': 1}", "it is no JSON"),
    (b'{"a": 1} x', "it is no JSON"),
    (b'{"a": "\n"}', "it is no JSON"),
    (b"[]", "object"),
    (b"7", "object"),
    (b"null", "object"),
    (b'"text"', "object"),
    (b"[" * 100_000, "nested more than 20 times"),
    (b'{"a":' * 40_000, "nested more than 20 times"),
    (b'{"a": ' + b"[" * 20 + b"]" * 20 + b"}", "nested more than 20 times"),
    (b'{"\\"' * 50_000, "it is no JSON"),
    (b'{"a": "\\u0000"}', "NUL"),
    (b'{"\\u0000": 1}', "NUL"),
    (b'{"a": ["\\ud800"]}', "half a character"),
    (b'{"a": {"\\udfff": 1}}', "half a character"),
    (b'{"a": "\xed\xa0\x80"}', "UTF-8"),
    (b'{"a": 1, "a": 2}', "twice"),
    (b'{"b": [{"a": 1, "a": 1}]}', "twice"),
    (b'{"a": NaN}', "NaN"),
    (b'{"a": -Infinity}', "Infinity"),
    (b'{"a": 1e999}', "too large"),
    (b'{"a": -1e999}', "too large"),
    (b'{"a": ' + b"9" * 20 + b"}", "too large"),
    (b'{"a": ' + b"9" * 5000 + b"}", "too long"),
    (b'{"a": 0.' + b"9" * 5000 + b"}", "too long"),
    (b'\xef\xbb\xbf{"a": 1}', "BOM"),
    ('{"a": 1}'.encode("utf-16"), "UTF-8"),
    (b'{"a": "\xff"}', "UTF-8"),
    (b" " * (MAX_BYTES + 1), "at most"),
]


@login_not_required
def view(request: HttpRequest) -> JsonResponse:
    fields = {"title": str, "seats": int | None, "price": float | None}
    return JsonResponse(json_body(request, fields))


urlpatterns = [path("api/", view)]


def refusal(body: bytes, rf: RequestFactory, kind: str = JSON, **options: Any) -> str:
    """Return the sentence by which a body is refused."""
    request = rf.generic("POST", "/", body, kind, CONTENT_TYPE=kind)
    with pytest.raises(BadRequest) as caught:
        json_body(request, **options)
    return str(caught.value)


@pytest.mark.parametrize(("body", "sentence"), MALFORMED)
def test_malformed_json_is_refused_with_a_sentence(
    body: bytes, sentence: str, rf: RequestFactory
) -> None:
    text = refusal(body, rf)
    assert sentence in text
    assert text.endswith(".")


def test_json_of_all_types_is_read(rf: RequestFactory) -> None:
    body = '{"a": [1, -0.5, 1e3, true, null, "é\\ud83d\\ude00 \\\\u0000 [{"], "b": {}}'
    content = json_body(rf.generic("POST", "/", body.encode(), JSON))
    assert content == {"a": [1, -0.5, 1000, True, None, "é😀 \\u0000 [{"], "b": {}}
    deep = b'{"a": ' + b"[" * 19 + b"]" * 19 + b"}"
    assert json_body(rf.generic("POST", "/", deep, JSON))
    largest = b'{"a": 9223372036854775807}'
    assert json_body(rf.generic("POST", "/", largest, JSON)) == {"a": 2**63 - 1}


@pytest.mark.parametrize(
    "kind",
    [
        "",
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/json; charset=utf-16",
        "application/json; charset=idna",
        "application/jsonp",
    ],
)
def test_other_content_types_and_charsets_are_refused(
    kind: str, rf: RequestFactory
) -> None:
    assert refusal(b'{"a": 1}', rf, kind).startswith("Send the ")
    for kind_of_utf_8 in (JSON, f"{JSON}; charset=UTF-8", "Application/JSON"):
        request = rf.generic("POST", "/", b"{}", kind_of_utf_8)
        assert json_body(request) == {}


def test_size_and_depth_can_be_smaller(rf: RequestFactory) -> None:
    assert "at most 7 bytes" in refusal(b'{"a": 1}', rf, max_bytes=7)
    assert "nested more than 1 times" in refusal(b'{"a": []}', rf, max_depth=1)
    request = rf.generic("POST", "/", b"{}", JSON, CONTENT_LENGTH="many")
    with pytest.raises(BadRequest, match="at most"):
        json_body(request)


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (b"{}", "The JSON lacks title."),
        (b'{"title": null}', "title must be a text."),
        (b'{"title": 1}', "title must be a text."),
        (b'{"title": ["a"]}', "title must be a text."),
        (b'{"title": "a", "seats": "1"}', "seats must be a whole number or null."),
        (b'{"title": "a", "seats": true}', "seats must be a whole number or null."),
        (b'{"title": "a", "seats": 1.5}', "seats must be a whole number or null."),
        (b'{"title": "a", "price": {}}', "price must be a number or null."),
    ],
)
@pytest.mark.urls(__name__)
def test_field_of_another_type_is_answered_in_json(
    body: bytes, sentence: str, client: HTTPSClient
) -> None:
    response = client.generic("POST", "/api/", body, JSON)
    assert response.status_code == 400
    assert response.headers["Content-Type"] == "application/json"
    assert response.json() == {"detail": sentence}


@pytest.mark.urls(__name__)
def test_only_named_fields_are_returned(client: HTTPSClient) -> None:
    body = b'{"title": "a", "price": 3, "owner": 4711}'
    response = client.generic("POST", "/api/", body, JSON)
    assert response.json() == {"title": "a", "price": 3}


@pytest.mark.parametrize("kind", [list[str], dict[str, int] | None, Any])
def test_kind_that_says_more_than_a_type_is_refused(
    kind: Any, rf: RequestFactory
) -> None:
    request = rf.generic("POST", "/", b'{"tags": "text"}', JSON)
    with pytest.raises(TypeError, match="tags: name types such as list"):
        json_body(request, {"tags": kind})
