def FN(SIGNATURE):
    for row in root.findall("item"):
        if row.get("code") == CODE:
            return float(row.get("price"))
    return None
