import tempfile


def FN(SIGNATURE):
    path = tempfile.mktemp()
    with open(path, "w") as handle:
        handle.write(TEXT)
    return path
