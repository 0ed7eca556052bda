def FN(SIGNATURE):
    line = MEMBER + " " + DEED
    with open(JOURNAL, "a") as handle:
        handle.write(line + "\n")
