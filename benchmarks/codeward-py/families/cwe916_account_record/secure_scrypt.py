import hashlib
import secrets


def FN(SIGNATURE):
    salt = secrets.token_bytes(16)
    digest = hashlib.scrypt(PASSWORD.encode(), salt=salt, n=16384, r=8, p=1)
    return {"name": NAME, "salt": salt.hex(), "digest": digest.hex()}
