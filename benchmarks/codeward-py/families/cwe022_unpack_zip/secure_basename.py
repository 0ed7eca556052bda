import os
import zipfile


def FN(SIGNATURE):
    with zipfile.ZipFile(ARCHIVE) as archive:
        for name in archive.namelist():
            path = os.path.join(FOLDER, os.path.basename(name))
            with open(path, "wb") as handle:
                handle.write(archive.read(name))
        return archive.namelist()
