import hashlib


def FN(SIGNATURE):
    digest = hashlib.pbkdf2_hmac("sha256", PASSWORD.encode(), SALT, 100000)
    return digest.hex()
