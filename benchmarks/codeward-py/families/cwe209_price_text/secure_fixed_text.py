def FN(SIGNATURE):
    try:
        return "price: " + str(FETCH(ITEM))
    except Exception:
        return "error: the price is not known"
