"""What ``make build`` checks of the built wheels: python tests/wheels.py DIST."""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
# Files that are no modules, and that nothing but this would miss.
FOLDERS = (ROOT / "src/zelto_agents/receiver/page", ROOT / "src/zelto_agents/samples")
EXPECTED = {
    "zelto_agents": [
        "zelto_agents/py.typed",
        *(
            str(path.relative_to(ROOT / "src"))
            for folder in FOLDERS
            for path in sorted(folder.rglob("*"))
            if path.is_file() and "__pycache__" not in path.parts
        ),
    ],
    "livekit_plugins_zelto": [
        "livekit/plugins/zelto/__init__.py",
        "livekit/plugins/zelto/py.typed",
    ],
    "pipecat_zelto": ["pipecat_zelto/__init__.py", "pipecat_zelto/py.typed"],
}
# A namespace package that brings these would hide LiveKit's own modules.
FORBIDDEN = {"livekit/__init__.py", "livekit/plugins/__init__.py"}


def main(dist: Path) -> None:
    for name, wanted in EXPECTED.items():
        (wheel,) = dist.glob(f"{name}-*.whl")
        held = set(zipfile.ZipFile(wheel).namelist())
        missing, wrong = set(wanted) - held, FORBIDDEN & held
        if missing or wrong:
            raise SystemExit(f"{wheel.name}: missing {sorted(missing)}, forbidden {sorted(wrong)}")
        print(f"{wheel.name}: {len(held)} files, all that is needed among them")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
