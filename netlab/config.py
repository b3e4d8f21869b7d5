"""Every setting of netlab as one typed field with its unit and its reason; `manage.py show_config` prints them.

Read from the environment (NETLAB_...) and from the file that NETLAB_ENV_FILE names. Used by the web side's settings.py
and by the host agent alike, so it imports neither Django nor anything of the kernel.
"""

from functools import lru_cache
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from netlab.domain.ids import HostName, InstanceId


def _field(default: object, reason: str, unit: str = "") -> object:
    return Field(default, description=reason, json_schema_extra={"unit": unit})


class Config(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="NETLAB_", env_file_encoding="utf-8", extra="ignore")

    # where
    instance: InstanceId = _field("main", "Part of every ownership mark; two netlabs on one machine need two.")  # type: ignore[assignment]
    host_name: HostName = _field("local", "Names this host's queues and streams.")  # type: ignore[assignment]
    state_dir: Path = _field(Path("/var/lib/netlab/main"), "Database, secrets, run states; survives a reboot.")  # type: ignore[assignment]
    run_dir: Path = _field(Path("/run/netlab/main"), "Sockets, pins, mounts of running labs; gone after a reboot. Mode 0711: containers walk through it.")  # type: ignore[assignment]
    rootfs_dir: Path = _field(Path("/var/lib/netlab/rootfs/current"), "Root file system of sandboxed nodes, made by guest/rootfs/build.sh.")  # type: ignore[assignment]
    guest_dir: Path = _field(Path("/var/lib/netlab/guest/current"), "The guest image: kernel, root file system, agent; made by `make guest`.")  # type: ignore[assignment]
    bpf_dir: Path = _field(Path("/var/lib/netlab/bpf/current"), "netlab's own BPF objects and the programs of its shells, built by `make up`; without them drops and events inside labs are not counted.")  # type: ignore[assignment]
    templates_dir: Path = _field(Path("/var/lib/netlab/templates"), "Booted guests with a lab in them, from which VMs are cloned; may be deleted at any time.")  # type: ignore[assignment]
    labs_dir: Path = _field(Path(__file__).resolve().parent.parent / "labs", "The lab folders.")  # type: ignore[assignment]

    # web
    secret_key: SecretStr = _field(SecretStr(""), "Signs sessions, resume links and join codes; made once by `make up`.")  # type: ignore[assignment]
    public_url: str = _field("https://localhost:8443", "What printed links and QR codes start with.")  # type: ignore[assignment]
    listen_host: str = _field("0.0.0.0", "Address the web server listens on.")  # type: ignore[assignment]
    listen_port: int = _field(8443, "Port the web server listens on.", "TCP port")  # type: ignore[assignment]
    tls_certificate: Path | None = _field(None, "PEM file of your own certificate; without one `make up` makes one; `none`: plain HTTP, for loopback or behind a proxy.")  # type: ignore[assignment]
    tls_key: Path | None = _field(None, "PEM file of its key, without a passphrase.")  # type: ignore[assignment]
    web_processes: int = _field(1, "Web processes; each holds its own sockets.", "processes")  # type: ignore[assignment]
    debug: bool = _field(False, "Django's debug pages; never for strangers.")  # type: ignore[assignment]
    redis_url: str = _field("unix:///run/netlab/main/redis/redis.sock", "Broker, streams and channel layer.")  # type: ignore[assignment]
    failed_joins_per_minute: int = _field(60, "Wrong join codes accepted in all; a room shares one address, so not per address.", "1/min")  # type: ignore[assignment]
    failed_joins_per_session: int = _field(10, "Wrong join codes accepted from one browser in ten minutes.", "tries")  # type: ignore[assignment]
    metrics_token: SecretStr = _field(SecretStr(""), "What Prometheus shows as its bearer token at /metrics; empty: only operators who are signed in may read it.")  # type: ignore[assignment]
    resume_link_days: int = _field(14, "How long an attendee's personal link works.", "days")  # type: ignore[assignment]

    # runs
    run_minutes: int = _field(180, "Life of a run after its start unless extended.", "min")  # type: ignore[assignment]
    idle_minutes: int = _field(60, "A run that nobody has looked at for so long is paused if it is a VM, else stopped; files are kept.", "min")  # type: ignore[assignment]
    paused_minutes: int = _field(0, "A paused run that nobody resumes for so long is stopped; 0: at its deadline, which counts while it is paused, too.", "min")  # type: ignore[assignment]
    wishes_per_minute: int = _field(20, "How often one attendee may start, reset, pause or resume labs; beyond it they are told to wait.", "1/min")  # type: ignore[assignment]
    extend_minutes: int = _field(60, "What one press on Extend adds.", "min")  # type: ignore[assignment]
    memory_budget_mb: int = _field(0, "Memory that labs of this host may promise in all; 0: 70 % of the machine's.", "MiB")  # type: ignore[assignment]
    cpu_budget_percent: int = _field(0, "CPU that labs may promise in all, 100 a core; 0: 20 times what the machine has, since labs idle.", "%")  # type: ignore[assignment]
    concurrent_starts: int = _field(4, "Labs a host builds at the same time; more wait their turn.", "runs")  # type: ignore[assignment]

    # VMs
    templates_mb: int = _field(8192, "Disk that templates may take; those not used for longest go first.", "MiB")  # type: ignore[assignment]
    acceleration: Literal["auto", "kvm", "tcg"] = _field("auto", "auto: KVM where a guest boots with it, else software emulation.")  # type: ignore[assignment]
    vm_clones_at_once: int = _field(4, "VMs a host starts at the same time; more wait their turn.", "VMs")  # type: ignore[assignment]

    # host
    worker_uid: int = _field(0, "The uid that may give the agent commands, besides root; the worker's.", "uid")  # type: ignore[assignment]
    storm_pps: int = _field(400_000, "Packets per second on one interface above which the storm guard sets it down; a lab may declare its own.", "1/s")  # type: ignore[assignment]
    uid_base: int = _field(1_000_000, "First host uid of lab uid ranges, 65536 each.", "uid")  # type: ignore[assignment]
    uid_slots: int = _field(4096, "How many ranges there are.", "ranges")  # type: ignore[assignment]
    dedicated_host: bool = _field(False, "True: also switch off module loading after start, which cannot be undone before a reboot.")  # type: ignore[assignment]

    @property
    def redis_prefix(self) -> str:
        return f"nl:{self.instance}:"

    @property
    def agent_socket(self) -> Path:
        return self.run_dir / "agent" / "agent.sock"

    @property
    def holder_socket(self) -> Path:
        return self.run_dir / "holder" / "holder.sock"


@lru_cache
def load_config() -> Config:
    """The process's configuration, read once. Raises pydantic's ValidationError, which names the field."""
    import os

    return Config(_env_file=os.environ.get("NETLAB_ENV_FILE"))
