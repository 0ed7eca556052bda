def FN(SIGNATURE):
    value = GROUP.replace("\\", "\\5c").replace("*", "\\2a")
    value = value.replace("(", "\\28").replace(")", "\\29").replace("\0", "\\00")
    return f"(&(objectClass=group)(cn={value}))"
