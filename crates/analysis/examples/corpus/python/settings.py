import json
import pickle
import re
import subprocess
from pathlib import Path
from typing import Any

import yaml

NAME = re.compile(r"^([a-z]+)*[0-9]*$")


class Store:
    """Settings in a folder, one file for each name, in whichever format its ending says."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()

    def path_of(self, name: str) -> Path:
        path = (self.root / name).resolve()
        if not path.is_relative_to(self.root):
            raise ValueError(f"{name} lies outside")
        return path

    def load(self, name: str) -> Any:
        path = self.path_of(name)
        match path.suffix:
            case ".json":
                return json.loads(path.read_text())
            case ".yaml" | ".yml":
                return yaml.load(path.read_text(), Loader=yaml.Loader)
            case ".pickle":
                with path.open("rb") as file:
                    return pickle.load(file)
            case other:
                raise ValueError(f"no reader for {other}")

    def check(self, name: str, *, is_strict: bool = False) -> bool:
        if is_strict and not NAME.match(name):
            return False
        done = subprocess.run(["yamllint", "--", str(self.path_of(name))], check=False, capture_output=True)
        return done.returncode == 0
