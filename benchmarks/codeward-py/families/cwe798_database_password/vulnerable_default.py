import os


def FN(SIGNATURE):
    value = os.environ.get("DB_PASSWORD", "postgres-2019")
    return {"host": HOST, "user": USER, "password": value}
