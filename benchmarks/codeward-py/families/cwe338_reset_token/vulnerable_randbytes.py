import random


def FN(SIGNATURE):
    return random.randbytes(SIZE).hex()
