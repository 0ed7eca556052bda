import hashlib


def FN(SIGNATURE):
    salt = PASSWORD[::-1].encode()
    digest = hashlib.pbkdf2_hmac("sha256", PASSWORD.encode(), salt, 100000)
    return salt.hex() + "$" + digest.hex()
