import random
import string


def FN(SIGNATURE):
    alphabet = string.ascii_uppercase + string.digits
    return "".join(random.SystemRandom().choices(alphabet, k=LENGTH))
