import os


def FN(SIGNATURE):
    HEADERS["X-Api-Key"] = os.environ["API_KEY"]
    return HEADERS
