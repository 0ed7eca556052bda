def FN(SIGNATURE):
    value = UID.replace("\\", "\\5c").replace("*", "\\2a")
    value = value.replace("(", "\\28").replace(")", "\\29").replace("\0", "\\00")
    return f"(uid={value})"
