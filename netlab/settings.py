"""Django's settings, made from netlab.config.Config and nothing else: no setting is read from anywhere but there.

Read by web, projector, sweeper and manage.py. Workers and beat run without it (see netlab.queue.app).
"""

from pathlib import Path
from typing import Any

from csp.constants import NONCE, NONE, SELF

from netlab.config import load_config
from netlab.logs import logging_config

CONFIG = load_config()
BASE_DIR = Path(__file__).resolve().parent.parent
FRONTEND_DIST = BASE_DIR / "frontend" / "dist"
WEB_DIR = CONFIG.state_dir / "web"
"""What the web user may write; the rest of the state folder is root's."""
HTTPS = CONFIG.public_url.startswith("https://")

SECRET_KEY = CONFIG.secret_key.get_secret_value()
DEBUG = CONFIG.debug

# People reach netlab under any address or name that the machine has: an address of the conference's network, its mDNS
# name, a tunnel. So every Host is allowed, which is safe here because nothing trusts it: printed links come from
# public_url, no mail is sent, no cache is keyed by it. A page of another site is kept out by comparing Origin with
# Host: Django's CSRF check does so for unsafe requests (CSRF_TRUSTED_ORIGINS stays empty), netlab.asgi for websockets.
# A name of an attacker that resolves to us (DNS rebinding) is an origin of its own: the browser sends it none of the
# cookies that it holds for our real address, so it is a stranger without a join code.
ALLOWED_HOSTS = ["*"]

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "channels",
    "ninja",
    "django_vite",
    "csp",
    "netlab.accounts",
    "netlab.catalogue",
    "netlab.workshops",
    "netlab.runs",
    "netlab.api",
    "netlab.pages",
    "netlab.live",
]
MIDDLEWARE = [
    "netlab.api.errors.ApiErrorMiddleware",  # outermost: whatever refuses a request to the API, the shape is one
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
]
ROOT_URLCONF = "netlab.urls"
ASGI_APPLICATION = "netlab.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "csp.context_processors.nonce",
                "netlab.pages.theme.theme",
            ]
        },
    }
]

# --- database: SQLite with one writer at a time; IMMEDIATE takes the write lock at BEGIN, so that a transaction which
# reads first and writes later waits its turn instead of failing halfway.
# In a folder of its own: the state folder also holds what root reads back, so the web user may not write there.
DATABASE_DIR = CONFIG.state_dir / "web"
DATABASE_DIR.mkdir(parents=True, exist_ok=True)
DATABASES = {
    "default": {
        "ENGINE": "netlab.database",
        "CONN_MAX_AGE": None,
        "NAME": str(DATABASE_DIR / "netlab.sqlite3"),
        "OPTIONS": {
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA temp_store=MEMORY;",
        },
        "TEST": {"NAME": str(DATABASE_DIR / "test.sqlite3")},
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- who is who
AUTH_USER_MODEL = "accounts.User"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
AUTH_PASSWORD_VALIDATORS: list[dict[str, Any]] = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
]
LOGIN_URL = "/sign-in/"
SESSION_COOKIE_NAME = f"netlab_{CONFIG.instance}"  # cookies ignore ports: two netlabs on one machine need two names
CSRF_COOKIE_NAME = f"netlab_{CONFIG.instance}_csrftoken"
SESSION_COOKIE_AGE = CONFIG.resume_link_days * 86400
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
SESSION_COOKIE_HTTPONLY = True
CSRF_FAILURE_VIEW = "netlab.pages.errors.csrf_failure"
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_HTTPONLY = False  # the front end reads it for X-CSRFToken

# --- headers
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
SECURE_HSTS_SECONDS = 0  # a self-made certificate plus HSTS would lock people out after the workshop
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "script-src": [SELF],
        "style-src": [SELF, NONCE],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],  # 'self' covers wss: of the same host and port (CSP 3, 6.7.2.8)
        "worker-src": [SELF],
        "object-src": [NONE],
        "base-uri": [NONE],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
    }
}
DATA_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024  # the largest request is one file of 64 KiB, escaped as JSON

# --- static files. The front end's names carry their digest; the rest is small and asked for again after a minute.
STATIC_URL = "/static/"
STATIC_ROOT = WEB_DIR / "static"
STATICFILES_DIRS = [FRONTEND_DIST] if FRONTEND_DIST.is_dir() else []
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedStaticFilesStorage"},
}
WHITENOISE_USE_FINDERS = DEBUG
WHITENOISE_AUTOREFRESH = DEBUG
WHITENOISE_IMMUTABLE_FILE_TEST = r"^.+[.-][0-9a-zA-Z_-]{8,12}\..+$"  # Vite's names: name-<8 of base64url>.js
DJANGO_VITE = {"default": {"dev_mode": False, "manifest_path": FRONTEND_DIST / ".vite" / "manifest.json"}}

# --- websockets' control messages (roster, kick); never counters, never terminals
CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "channels_redis.core.RedisChannelLayer",
        "CONFIG": {
            "hosts": [{"address": CONFIG.redis_url, "socket_timeout": 15}],
            "prefix": f"{CONFIG.redis_prefix}layer",
            "capacity": 1000,
            "expiry": 30,
        },
    }
}

USE_TZ = True
TIME_ZONE = "UTC"
USE_I18N = False
LANGUAGE_CODE = "en"
APPEND_SLASH = True
LOGGING = logging_config("DEBUG" if DEBUG else "INFO")
HOST_NAMES = [CONFIG.host_name]
"""The hosts whose events are projected; one machine has one."""
