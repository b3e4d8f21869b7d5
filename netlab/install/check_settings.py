"""Says in one sentence what is wrong with a settings file; prints nothing when all is well.

Run by settings_files.py with the Python environment's interpreter: the one module here that needs more than the standard library.
"""

import sys
from pathlib import Path

from pydantic import ValidationError

from netlab.config import Config
from netlab.install.instance import PREFIX


def complaint(path: Path) -> str:
    try:
        Config(_env_file=path)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        return f"{PREFIX}{str(first['loc'][0]).upper()}={first['input']}: {first['msg']}"
    return ""


if __name__ == "__main__":
    sys.stdout.write(complaint(Path(sys.argv[1])))
