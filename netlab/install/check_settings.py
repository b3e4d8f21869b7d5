"""Says in one sentence what is wrong with a settings file; prints nothing when all is well.

Run by settings_files.py with the Python environment's interpreter: the one module here that needs more than the standard library.
"""

import difflib
import sys
from pathlib import Path

from pydantic import ValidationError

from netlab.config import Config
from netlab.install.instance import PREFIX, read_env_file


def complaint(path: Path) -> str:
    known = {PREFIX + name.upper(): name for name in Config.model_fields}
    for name in read_env_file(path):
        if name.startswith(PREFIX) and name not in known:
            near = difflib.get_close_matches(name, known, 1)
            return f"there is no setting {name}" + (f"; did you mean {near[0]}?" if near else "")
    try:
        Config(_env_file=path)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        return f"{PREFIX}{str(first['loc'][0]).upper()}={first['input']}: {first['msg']}"
    return ""


if __name__ == "__main__":
    sys.stdout.write(complaint(Path(sys.argv[1])))
