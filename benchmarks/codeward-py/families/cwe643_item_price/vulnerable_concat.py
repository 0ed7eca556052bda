def FN(SIGNATURE):
    row = root.find("./item[@code='" + CODE + "']")
    return float(row.get("price")) if row is not None else None
