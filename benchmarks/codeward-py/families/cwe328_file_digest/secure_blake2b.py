import hashlib


def FN(SIGNATURE):
    with open(PATH, "rb") as handle:
        data = handle.read()
    return hashlib.blake2b(data).hexdigest()
