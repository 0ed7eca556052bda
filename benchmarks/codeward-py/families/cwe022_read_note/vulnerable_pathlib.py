from pathlib import Path


def FN(SIGNATURE):
    path = Path(FOLDER) / NOTE
    return path.read_text()
