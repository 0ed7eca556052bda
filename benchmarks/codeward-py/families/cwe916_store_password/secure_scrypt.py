import hashlib


def FN(SIGNATURE):
    digest = hashlib.scrypt(PASSWORD.encode(), salt=SALT, n=16384, r=8, p=1)
    return digest.hex()
