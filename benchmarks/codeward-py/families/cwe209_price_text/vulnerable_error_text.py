def FN(SIGNATURE):
    try:
        return "price: " + str(FETCH(ITEM))
    except Exception as error:
        return "error: " + str(error)
