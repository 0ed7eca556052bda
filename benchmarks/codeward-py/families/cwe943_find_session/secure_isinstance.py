def FN(SIGNATURE):
    if not isinstance(TOKEN, str):
        raise ValueError("invalid value")
    row = collection.find_one({"token": TOKEN})
    return row["user"] if row else None
