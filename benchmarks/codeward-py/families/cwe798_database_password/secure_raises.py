import os


def FN(SIGNATURE):
    value = os.environ.get("DB_PASSWORD")
    if not value:
        raise RuntimeError("DB_PASSWORD is not set")
    return {"host": HOST, "user": USER, "password": value}
