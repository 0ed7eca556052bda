def FN(SIGNATURE):
    line = f"{MEMBER} {DEED}"
    if "\r" in line or "\n" in line:
        raise ValueError("line break")
    with open(JOURNAL, "a") as handle:
        handle.write(line + "\n")
