import zipfile
from pathlib import Path


def FN(SIGNATURE):
    with zipfile.ZipFile(ARCHIVE) as archive:
        for name in archive.namelist():
            path = Path(FOLDER) / name
            path.write_bytes(archive.read(name))
        return archive.namelist()
