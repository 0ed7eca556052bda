def FN(SIGNATURE):
    query = {"name": str(NAME), "password": str(PASSWORD)}
    return collection.find_one(query) is not None
