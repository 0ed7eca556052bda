import os


def FN(SIGNATURE):
    value = os.environ.get("API_KEY")
    if not value:
        raise RuntimeError("API_KEY is not set")
    HEADERS["X-Api-Key"] = value
    return HEADERS
