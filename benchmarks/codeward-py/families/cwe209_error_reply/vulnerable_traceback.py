import traceback


def FN(SIGNATURE):
    try:
        return {"status": 200, "body": ACTION()}
    except Exception:
        return {"status": 500, "body": traceback.format_exc()}
