import logging


def FN(SIGNATURE):
    try:
        return "price: " + str(FETCH(ITEM))
    except Exception:
        logging.exception("price failed")
        return "error: please try again later"
