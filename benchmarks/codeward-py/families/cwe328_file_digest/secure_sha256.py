import hashlib


def FN(SIGNATURE):
    with open(PATH, "rb") as handle:
        data = handle.read()
    return hashlib.sha256(data).hexdigest()
