def FN(SIGNATURE):
    row = root.find("./account[name='" + NAME + "']")
    return row.findtext("email") if row is not None else None
