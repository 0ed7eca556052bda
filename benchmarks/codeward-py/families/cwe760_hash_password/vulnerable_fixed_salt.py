import hashlib


def FN(SIGNATURE):
    salt = b"pepper-and-salt"
    digest = hashlib.pbkdf2_hmac("sha256", PASSWORD.encode(), salt, 100000)
    return salt.hex() + "$" + digest.hex()
