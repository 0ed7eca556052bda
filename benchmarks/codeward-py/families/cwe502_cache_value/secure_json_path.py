import json
from pathlib import Path


def FN(SIGNATURE):
    path = Path(STORE)
    if not path.exists():
        path.write_text(json.dumps(RECORD))
    return json.loads(path.read_text())
