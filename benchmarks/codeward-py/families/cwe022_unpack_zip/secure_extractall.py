import zipfile


def FN(SIGNATURE):
    with zipfile.ZipFile(ARCHIVE) as archive:
        archive.extractall(FOLDER)
        return archive.namelist()
