import random


def FN(SIGNATURE):
    alphabet = "0123456789abcdef"
    return "".join(random.choice(alphabet) for _ in range(SIZE * 2))
