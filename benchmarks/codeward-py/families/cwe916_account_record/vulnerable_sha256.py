import hashlib
import os


def FN(SIGNATURE):
    salt = os.urandom(16)
    digest = hashlib.sha256(salt + PASSWORD.encode()).digest()
    return {"name": NAME, "salt": salt.hex(), "digest": digest.hex()}
