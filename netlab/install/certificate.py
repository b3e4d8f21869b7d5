"""HTTPS: a self-made certificate over every name and address of this machine, or the operator's own. Called by `make up`.

The self-made one is kept until its names no longer fit or it ends within a month; its key is kept for good, so that a
browser's exception has a chance to last.
"""

import json
import pwd
import socket
import ssl
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from netlab.install.digests import Stamp
from netlab.install.failure import Failed
from netlab.install.instance import Instance, write_private
from netlab.install.progress import Step
from netlab.install.users import WEB_USER

VALID_DAYS = 397
"""The longest that browsers accept (CA/Browser Forum ballot SC31)."""
RENEW_DAYS = 30
PLAIN = "none"
"""NETLAB_TLS_CERTIFICATE=none: plain HTTP, for loopback or behind a proxy, because somebody asked for it."""


@dataclass(frozen=True)
class Tls:
    """What the web server is given; both None: plain HTTP."""

    certificate: Path | None
    key: Path | None


def ensure(step: Step, instance: Instance) -> Tls:
    own = instance.setting("tls_certificate", "")
    if own == PLAIN:
        step.note = "plain HTTP, as asked"
        return Tls(None, None)
    if own:
        return _take_over(step, instance, Path(own))
    return _self_made(step, instance)


def days_left(certificate: Path) -> float:
    answer = subprocess.run(
        ["openssl", "x509", "-noout", "-enddate", "-in", certificate], capture_output=True, text=True, check=True
    )
    return (ssl.cert_time_to_seconds(answer.stdout.strip().removeprefix("notAfter=")) - time.time()) / 86400


def machine_names() -> tuple[list[str], list[str]]:
    """(DNS names, addresses) under which this machine may be reached, loopback included."""
    names = {"localhost", socket.gethostname().lower(), socket.getfqdn().lower()}
    links = json.loads(subprocess.run(["ip", "-json", "address", "show", "up"], capture_output=True, check=True).stdout)
    addresses = {
        entry["local"]
        for link in links
        for entry in link.get("addr_info", ())
        if entry.get("scope") in ("global", "host") and not entry.get("temporary")
    }
    return sorted(name for name in names if name and name.isascii()), sorted({"127.0.0.1", "::1"} | addresses)


def reachable_address() -> str:
    """The address from which this machine speaks to others: the one that others can answer. Nothing is sent."""
    for family, target in ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1")):
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            try:
                probe.connect((target, 9))  # documentation addresses (RFC 5737, RFC 3849): only routed, never reached
            except OSError:
                continue
            address = str(probe.getsockname()[0])
            return f"[{address}]" if family == socket.AF_INET6 else address
    return socket.gethostname()


def _self_made(step: Step, instance: Instance) -> Tls:
    folder = instance.state_dir / "tls"
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    names, addresses = machine_names()
    subjects = ",".join([f"DNS:{name}" for name in names] + [f"IP:{address}" for address in addresses])
    stamp = Stamp(instance.stamps_dir / "certificate")
    if certificate.exists() and key.exists() and stamp.holds(subjects) and days_left(certificate) > RENEW_DAYS:
        step.note = f"unchanged, {days_left(certificate):.0f} days left"
        return Tls(certificate, key)
    if not key.exists():
        text = step.output(["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"])
        _hand_to_web(key, text)
    text = step.output(
        [
            "openssl",
            "req",
            "-x509",
            "-new",
            "-key",
            key,
            "-days",
            str(VALID_DAYS),
            "-subj",
            f"/CN={names[0]}/O=netlab",
            "-addext",
            f"subjectAltName={subjects}",
            "-addext",
            "basicConstraints=critical,CA:FALSE",
            "-addext",
            "keyUsage=critical,digitalSignature",
            "-addext",
            "extendedKeyUsage=serverAuth",
        ]
    )
    write_private(certificate, text, 0o644)
    stamp.write(subjects)
    step.note = f"made for {len(names)} names and {len(addresses)} addresses"
    return Tls(certificate, key)


def _take_over(step: Step, instance: Instance, certificate: Path) -> Tls:
    """The operator's certificate and key, copied to where the web user can read them."""
    key_setting = instance.setting("tls_key", "")
    if not key_setting:
        raise Failed("NETLAB_TLS_CERTIFICATE is set but NETLAB_TLS_KEY is not", "Give both, or neither for a self-made one.")
    for path in (certificate, Path(key_setting)):
        if not path.is_file():
            raise Failed(f"{path} is not there", "Correct NETLAB_TLS_CERTIFICATE and NETLAB_TLS_KEY; both are PEM files.")
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key_setting)
    except ssl.SSLError as error:
        raise Failed(
            f"certificate and key do not fit: {error.reason}", "Both are PEM files; the key has no passphrase."
        ) from error
    folder = instance.state_dir / "tls"
    write_private(folder / "own-certificate.pem", certificate.read_text(), 0o644)
    _hand_to_web(folder / "own-key.pem", Path(key_setting).read_text())
    step.note = f"your own, {days_left(folder / 'own-certificate.pem'):.0f} days left"
    return Tls(folder / "own-certificate.pem", folder / "own-key.pem")


def _hand_to_web(path: Path, text: str) -> None:
    web = pwd.getpwnam(WEB_USER)
    write_private(path, text, 0o400, web.pw_uid, web.pw_gid)
