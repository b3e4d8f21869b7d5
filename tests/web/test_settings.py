"""Headers, cookies and origins: what keeps other sites out although every Host is allowed."""

from typing import Any

import pytest
from django.conf import settings
from django.test import Client

from netlab.asgi import application, same_origin


def test_the_policy_is_strict() -> None:
    header = Client().get("/").headers["Content-Security-Policy"]
    policy = dict(part.strip().partition(" ")[::2] for part in header.split(";"))
    assert policy["default-src"] == policy["script-src"] == policy["connect-src"] == "'self'"
    assert policy["frame-ancestors"] == policy["object-src"] == "'none'"
    assert "unsafe" not in header and "*" not in header


def test_cookies_are_ours_alone() -> None:
    assert settings.CONFIG.instance in settings.SESSION_COOKIE_NAME
    assert settings.SESSION_COOKIE_HTTPONLY and settings.SESSION_COOKIE_SAMESITE == "Lax"
    assert settings.CONFIG.public_url.startswith("https") == settings.SESSION_COOKIE_SECURE
    assert settings.PASSWORD_HASHERS[0].endswith("Argon2PasswordHasher")


@pytest.mark.parametrize(("origin", "host", "secure", "ours"), [
    ("https://192.0.2.7:8443", "192.0.2.7:8443", True, True),
    ("https://lab.example", "lab.example:443", True, True),
    ("http://localhost", "localhost", False, True),
    ("https://[2001:db8::1]:8443", "[2001:db8::1]:8443", True, True),
    ("https://evil.example", "192.0.2.7:8443", True, False),
    ("http://192.0.2.7:8443", "192.0.2.7:8443", True, False),
    ("https://192.0.2.7:8444", "192.0.2.7:8443", True, False),
    ("https://192.0.2.7:8443.evil.example", "192.0.2.7:8443", True, False),
    ("null", "192.0.2.7:8443", True, False),
    ("", "", True, False),
    ("https://a:b:c", "a:b:c", True, False),
])
def test_an_origin_is_ours_or_not(origin: str, host: str, secure: bool, ours: bool) -> None:
    assert same_origin(origin, host, secure) is ours


@pytest.mark.parametrize("headers", [
    [(b"host", b"192.0.2.7:8443"), (b"origin", b"https://evil.example")],
    [(b"host", b"192.0.2.7:8443")],
])
async def test_a_websocket_of_another_site_is_refused(headers: list[tuple[bytes, bytes]]) -> None:
    scope = {"type": "websocket", "path": "/ws/runs/r0123456789/", "headers": headers, "scheme": "wss", "subprotocols": []}
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "websocket.connect"}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    await application(scope, receive, send)
    assert sent == [{"type": "websocket.close", "code": 4403}]


def test_any_name_of_the_machine_is_served_but_csrf_compares_origin_with_host() -> None:
    client = Client(enforce_csrf_checks=True, headers={"host": "lab.local:8443"})
    page = client.get("/sign-in/")
    assert page.status_code == 200
    token = client.cookies[settings.CSRF_COOKIE_NAME].value
    data = {"csrfmiddlewaretoken": token, "username": "x", "password": "y"}
    answer = client.post("/sign-in/", data, headers={"origin": "http://evil.example"})
    assert answer.status_code == 403 and b"too old" in answer.content
    assert b"too old" not in client.post("/sign-in/", data, headers={"origin": "http://lab.local:8443"}).content
