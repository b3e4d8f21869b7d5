"""The configuration of all tests that run in this process: an instance, folders and a Redis socket of their own.

Imported by conftest.py before Django's settings are: settings come from the environment alone. Everything lives in one
temporary folder that is removed when the interpreter ends.
"""

import atexit
import os
import shutil
import tempfile
from pathlib import Path

import django

FOLDER = Path(tempfile.mkdtemp(prefix="netlab-tests-"))
REDIS_SOCKET = FOLDER / "redis.sock"
KEPT = frozenset({
    "NETLAB_ROOTFS_DIR", "NETLAB_GUEST_DIR", "NETLAB_TEMPLATES_DIR", "NETLAB_ACCELERATION", "NETLAB_CHECK_LEFTOVERS",
    "NETLAB_TEST_SESSION", "NETLAB_BPF_DIR",
})
"""What `make test` tells the tests; nothing else of the caller's configuration reaches them."""
INSTANCE = f"t{os.getpid():x}"[:8]


def set_environment() -> None:
    for name in [name for name in os.environ if name.startswith("NETLAB_") and name not in KEPT]:
        del os.environ[name]
    (FOLDER / "state" / "web" / "static").mkdir(parents=True)
    (FOLDER / "run" / "agent").mkdir(parents=True)
    os.environ |= {
        "DJANGO_SETTINGS_MODULE": "netlab.settings",
        "NETLAB_INSTANCE": INSTANCE,
        "NETLAB_SECRET_KEY": "a key for tests, which signs nothing that anybody keeps",
        "NETLAB_STATE_DIR": str(FOLDER / "state"),
        "NETLAB_RUN_DIR": str(FOLDER / "run"),
        "NETLAB_REDIS_URL": f"unix://{REDIS_SOCKET}",
        "NETLAB_PUBLIC_URL": "http://testserver",
    }
    django.setup()  # conftest files below import models
    atexit.register(shutil.rmtree, FOLDER, ignore_errors=True)
