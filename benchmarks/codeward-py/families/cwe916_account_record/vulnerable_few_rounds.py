import hashlib
import os


def FN(SIGNATURE):
    salt = os.urandom(16)
    digest = hashlib.pbkdf2_hmac("sha256", PASSWORD.encode(), salt, 1000)
    return {"name": NAME, "salt": salt.hex(), "digest": digest.hex()}
