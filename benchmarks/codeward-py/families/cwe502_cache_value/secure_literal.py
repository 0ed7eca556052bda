import ast
from pathlib import Path


def FN(SIGNATURE):
    path = Path(STORE)
    if not path.exists():
        path.write_text(repr(RECORD))
    return ast.literal_eval(path.read_text())
