import hashlib
import time


def FN(SIGNATURE):
    digest = hashlib.sha256((USER + str(time.time())).encode()).hexdigest()
    return USER + ":" + digest[:32]
