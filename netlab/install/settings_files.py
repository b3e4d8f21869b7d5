"""Writes the files from which netlab's processes read their settings, and has netlab.config check them. Called by `make up`."""

import difflib
import grp
import pwd
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from netlab.install import bpf_objects, certificate, guest_paths
from netlab.install.certificate import Tls
from netlab.install.digests import Stamp, digest_files
from netlab.install.failure import Failed
from netlab.install.instance import PREFIX, PYTHON, TOP, Instance, read_env_file, write_private
from netlab.install.progress import Step
from netlab.install.users import GROUP, WEB_USER, WORKER_USER

KEY_SETTING = "NETLAB_SECRET_KEY"
METRICS_SETTING = "NETLAB_METRICS_TOKEN"
TEMPLATES = Path("/var/lib/netlab/templates")
"""Of all netlabs of this machine."""
EVERY_ADDRESS = ("0.0.0.0", "::")  # noqa: S104  a workshop is for the whole room


@dataclass(frozen=True)
class Resolved:
    """What the installer itself must know of the settings."""

    host_name: str
    listen_host: str
    listen_port: int
    public_url: str
    web_processes: int


def write(step: Step, instance: Instance, tls: Tls, rootfs: Path) -> Resolved:
    """Both files. Raises Failed with the field's name when a value is wrong; then the old files stay."""
    values = _values(instance, tls, rootfs)
    _check(step, instance, values)
    key = instance.settings.get(KEY_SETTING) or _secret_key(instance)
    group, web = grp.getgrnam(GROUP).gr_gid, pwd.getpwnam(WEB_USER).pw_uid
    write_private(instance.env_file, _text(values), 0o640, 0, group)
    token = {METRICS_SETTING: instance.settings[METRICS_SETTING]} if METRICS_SETTING in instance.settings else {}
    write_private(instance.web_env_file, _text({**values, KEY_SETTING: key, **token}), 0o400, web, group)
    return resolved(values)


def check_names(instance: Instance) -> None:
    """Refuse a setting that does not exist before anything is installed; the fields are read from netlab/config.py's text."""
    fields = re.findall(r"^    (\w+): .* = _field\(", (TOP / "netlab" / "config.py").read_text(), re.MULTILINE)
    known = [PREFIX + name.upper() for name in fields]
    for name in instance.settings:
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            suggestion = f"; did you mean {near[0]}?" if near else ""
            raise Failed(f"there is no setting {name}{suggestion}", "docs/operate.md lists every setting.")


def read(instance: Instance) -> Resolved:
    """What the last `make up` settled on."""
    if not instance.env_file.exists():
        raise Failed(f"there is no netlab in {instance.state_dir}", "Run `make up`.")
    return resolved(read_env_file(instance.env_file))


def resolved(values: Mapping[str, str]) -> Resolved:
    return Resolved(
        values["NETLAB_HOST_NAME"],
        values["NETLAB_LISTEN_HOST"],
        int(values["NETLAB_LISTEN_PORT"]),
        values["NETLAB_PUBLIC_URL"],
        int(values["NETLAB_WEB_PROCESSES"]),
    )


def _values(instance: Instance, tls: Tls, rootfs: Path) -> dict[str, str]:
    port = instance.setting("listen_port", "8443")
    host = instance.setting("listen_host", EVERY_ADDRESS[0])
    name = certificate.reachable_address() if host in EVERY_ADDRESS else host
    scheme, usual = ("https", "443") if tls.certificate else ("http", "80")
    values = {
        "NETLAB_HOST_NAME": "local",
        "NETLAB_WEB_PROCESSES": "1",
        "NETLAB_LISTEN_HOST": host,
        "NETLAB_LISTEN_PORT": port,
        "NETLAB_PUBLIC_URL": f"{scheme}://{name}" + ("" if port == usual else f":{port}"),
        "NETLAB_ROOTFS_DIR": str(rootfs),
        "NETLAB_GUEST_DIR": str(guest_paths.image_dir()),
        "NETLAB_TEMPLATES_DIR": str(TEMPLATES),
        "NETLAB_BPF_DIR": str(bpf_objects.folder()),
        "NETLAB_REDIS_URL": f"unix://{instance.redis_socket}",
        "NETLAB_WORKER_UID": str(pwd.getpwnam(WORKER_USER).pw_uid),
        **instance.settings,
        "NETLAB_INSTANCE": instance.name,
        "NETLAB_STATE_DIR": str(instance.state_dir),
        "NETLAB_RUN_DIR": str(instance.run_dir),
        "NETLAB_TLS_CERTIFICATE": str(tls.certificate or ""),
        "NETLAB_TLS_KEY": str(tls.key or ""),
    }
    values["NETLAB_PUBLIC_URL"] = values["NETLAB_PUBLIC_URL"].rstrip("/")
    return {name: value for name, value in values.items() if value and name not in (KEY_SETTING, METRICS_SETTING)}


def _check(step: Step, instance: Instance, values: Mapping[str, str]) -> None:
    """Ask netlab.config, in the environment that has pydantic; skipped while neither values nor fields have changed."""
    stamp = Stamp(instance.stamps_dir / "settings")
    text = _text(values)
    config = digest_files([TOP / "netlab" / "config.py"], TOP)
    digest = f"{config} {hash_text(text)}"
    if stamp.holds(digest):
        step.note = "unchanged"
        return
    candidate = instance.stamps_dir / "settings.candidate"
    write_private(candidate, text, 0o600)
    complaint = step.output(
        [PYTHON, "-m", "netlab.install.check_settings", candidate], cwd=TOP, env={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"}
    ).strip()
    candidate.unlink()
    if complaint:
        where = "/etc/netlab.env" if instance.name == "main" else f"/etc/netlab-{instance.name}.env"
        raise Failed(complaint, f"Correct it on the command line or in {where}; docs/operate.md lists every setting.")
    stamp.write(digest)
    step.note = "checked and written"


def _secret_key(instance: Instance) -> str:
    """Made once; kept apart from the settings so that a lost settings file signs nobody out."""
    path = instance.state_dir / "secret_key"
    if not path.exists():
        write_private(path, secrets.token_urlsafe(48) + "\n", 0o600)
    return path.read_text().strip()


def _text(values: Mapping[str, str]) -> str:
    return "# made by `make up`; change settings in /etc/netlab.env\n" + "".join(f"{k}={v}\n" for k, v in sorted(values.items()))


def hash_text(text: str) -> str:
    import hashlib

    return hashlib.sha256(text.encode()).hexdigest()
