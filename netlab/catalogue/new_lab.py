"""What `manage.py lab new` writes: the smallest lab with a check and a solution, which passes lint and test as it is."""

from pathlib import Path

LAB = """\
# yaml-language-server: $schema=../_schema/lab.schema.json
# Every key: docs/lab-format.md
id: {id}
title: {id}
summary: What a person can do after this lab that they could not do before.
topic: basics
minutes: 15

nodes:
  - name: client
    interfaces:
      - {{name: eth0, addresses: [10.0.0.1/24]}}
  - name: server
    interfaces:
      - {{name: eth0}}
links:
  - ends: [client:eth0, server:eth0]

terminals:
  - {{node: client}}
  - {{node: server}}

steps:
  - id: address
    title: Give the server an address
    text: steps/01-address.md
    checks:
      - id: reachable
        title: The client reaches the server
        probe: {{kind: ping, node: client, to: 10.0.0.2}}
        hint: Both ends of the wire have to be in the same network.
"""

STEP = """\
The client is 10.0.0.1/24. Give the server an address in the same network:

```sh node=server
ip address add 10.0.0.2/24 dev eth0
```

See whether `server:eth0` answers:

```sh node=client
ping -c 3 10.0.0.2
```

::: hint It says that the address is there already
Then all is well: an interface has each address once.
:::
"""

SOLUTION = """\
# yaml-language-server: $schema=../../../_schema/solution.schema.json
actions:
  - {do: run, node: server, run: [ip, address, add, 10.0.0.2/24, dev, eth0]}
"""


def write_new_lab(folder: Path) -> None:
    """Raises FileExistsError, having changed nothing, when the folder is there."""
    folder.mkdir(parents=True)
    files = {
        "lab.yaml": LAB.format(id=folder.name),
        "steps/01-address.md": STEP,
        "solution/01/solution.yaml": SOLUTION,
    }
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
