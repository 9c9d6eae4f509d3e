import re

import pytest
from django.conf import settings

from core.testing import start


def test_nginx_accepts_every_body_that_the_site_does() -> None:
    text = (settings.BASE_DIR / "deploy" / "site.conf").read_text(encoding="utf-8")
    limit = max(map(int, re.findall(r"client_max_body_size (\d+)m;", text))) * 1024**2
    largest = limit - (settings.BODY_MAX_BYTES - settings.UPLOAD_MAX_BYTES)
    error = start(UPLOAD_MAX_BYTES=str(largest + 1)).stderr
    assert f"UPLOAD_MAX_BYTES: Must be a whole number from 1 to {largest}." in error


@pytest.mark.control("V12.1.1")
def test_nginx_offers_tls_1_2_and_1_3_alone() -> None:
    text = (settings.BASE_DIR / "deploy" / "site.conf").read_text(encoding="utf-8")
    assert re.findall(r"^ *ssl_protocols (.+);", text, re.MULTILINE) == [
        "TLSv1.2 TLSv1.3"
    ]


@pytest.mark.control("V12.1.2")
def test_nginx_offers_ciphers_with_forward_secrecy_alone() -> None:
    text = (settings.BASE_DIR / "deploy" / "site.conf").read_text(encoding="utf-8")
    assert re.findall(r"^ *ssl_ciphers (.+);", text, re.MULTILINE) == [
        "ECDHE+AESGCM:ECDHE+CHACHA20"
    ]
