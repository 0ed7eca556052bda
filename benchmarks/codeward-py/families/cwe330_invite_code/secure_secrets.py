import secrets
import string


def FN(SIGNATURE):
    alphabet = string.ascii_uppercase + string.digits
    return "".join(secrets.choice(alphabet) for _ in range(LENGTH))
