from pathlib import Path


def FN(SIGNATURE):
    path = Path(FOLDER) / DOCUMENT
    path.write_text(TEXT)
