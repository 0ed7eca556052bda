import random
import string


def FN(SIGNATURE):
    alphabet = string.ascii_uppercase + string.digits
    return "".join(random.choice(alphabet) for _ in range(LENGTH))
