import os


def FN(SIGNATURE):
    HEADERS["X-Api-Key"] = os.environ.get("API_KEY", "sk-live-4f9a7c21d8")
    return HEADERS
