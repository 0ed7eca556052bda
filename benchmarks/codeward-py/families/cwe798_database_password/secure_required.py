import os


def FN(SIGNATURE):
    value = os.environ["DB_PASSWORD"]
    return {"host": HOST, "user": USER, "password": value}
