def FN(SIGNATURE):
    value = GROUP.strip()
    return "(&(objectClass=group)(cn=" + value + "))"
