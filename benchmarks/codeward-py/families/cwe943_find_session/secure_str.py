def FN(SIGNATURE):
    query = {"token": str(TOKEN)}
    row = collection.find_one(query)
    return row["user"] if row else None
