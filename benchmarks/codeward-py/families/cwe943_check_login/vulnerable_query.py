def FN(SIGNATURE):
    query = {"name": NAME, "password": PASSWORD}
    return collection.find_one(query) is not None
