import os


def FN(SIGNATURE):
    value = os.environ.get("DB_PASSWORD") or "letmein"
    return {"host": HOST, "user": USER, "password": value}
