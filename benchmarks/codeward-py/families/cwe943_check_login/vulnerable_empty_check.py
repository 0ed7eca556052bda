def FN(SIGNATURE):
    if not NAME or not PASSWORD:
        return False
    row = collection.find_one({"name": NAME, "password": PASSWORD})
    return row is not None
