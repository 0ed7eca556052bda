def FN(SIGNATURE):
    if not isinstance(NAME, str) or not isinstance(PASSWORD, str):
        raise ValueError("invalid value")
    query = {"name": NAME, "password": PASSWORD}
    return collection.find_one(query) is not None
