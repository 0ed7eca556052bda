import os


def FN(SIGNATURE):
    name = os.path.basename(NAME)
    if os.path.splitext(name)[1].lower() not in (".png", ".jpg", ".gif"):
        raise ValueError("not a picture")
    path = os.path.join(FOLDER, name)
    with open(path, "wb") as handle:
        handle.write(DATA)
    return path
