def FN(SIGNATURE):
    if not TOKEN:
        return None
    row = collection.find_one({"token": TOKEN})
    return row["user"] if row else None
