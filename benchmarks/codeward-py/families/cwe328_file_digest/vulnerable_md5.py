import hashlib


def FN(SIGNATURE):
    with open(PATH, "rb") as handle:
        data = handle.read()
    return hashlib.md5(data).hexdigest()
