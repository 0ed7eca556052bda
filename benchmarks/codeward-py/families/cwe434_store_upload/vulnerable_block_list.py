import os


def FN(SIGNATURE):
    name = os.path.basename(NAME)
    if name.lower().endswith((".exe", ".sh", ".php")):
        raise ValueError("not a picture")
    path = os.path.join(FOLDER, name)
    with open(path, "wb") as handle:
        handle.write(DATA)
    return path
