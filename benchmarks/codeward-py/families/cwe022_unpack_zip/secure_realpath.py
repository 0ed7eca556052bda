import os
import zipfile


def FN(SIGNATURE):
    with zipfile.ZipFile(ARCHIVE) as archive:
        for name in archive.namelist():
            path = os.path.realpath(os.path.join(FOLDER, name))
            if not path.startswith(os.path.realpath(FOLDER) + os.sep):
                raise ValueError("invalid path")
            with open(path, "wb") as handle:
                handle.write(archive.read(name))
        return archive.namelist()
