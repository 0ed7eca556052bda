import logging


def FN(SIGNATURE):
    try:
        return {"status": 200, "body": ACTION()}
    except Exception:
        logging.exception("request failed")
        return {"status": 500, "body": "internal error"}
