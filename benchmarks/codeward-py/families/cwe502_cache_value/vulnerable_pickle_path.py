import pickle
from pathlib import Path


def FN(SIGNATURE):
    path = Path(STORE)
    if not path.exists():
        path.write_bytes(pickle.dumps(RECORD))
    return pickle.loads(path.read_bytes())
