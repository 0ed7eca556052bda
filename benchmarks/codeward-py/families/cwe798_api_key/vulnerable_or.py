import os


def FN(SIGNATURE):
    value = os.environ.get("API_KEY") or "demo-key-8842"
    HEADERS["X-Api-Key"] = value
    return HEADERS
