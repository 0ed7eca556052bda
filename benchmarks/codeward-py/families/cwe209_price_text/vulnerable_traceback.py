import traceback


def FN(SIGNATURE):
    try:
        return "price: " + str(FETCH(ITEM))
    except Exception:
        return "error: " + traceback.format_exc()
