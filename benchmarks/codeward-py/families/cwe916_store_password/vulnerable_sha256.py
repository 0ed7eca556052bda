import hashlib


def FN(SIGNATURE):
    digest = hashlib.sha256(SALT + PASSWORD.encode()).digest()
    return digest.hex()
