def FN(SIGNATURE):
    query = f"item[@code='{CODE}']"
    row = root.find(query)
    return float(row.get("price")) if row is not None else None
