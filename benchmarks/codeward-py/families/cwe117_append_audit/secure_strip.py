def FN(SIGNATURE):
    line = f"{MEMBER} {DEED}"
    line = line.replace("\r", "").replace("\n", "")
    with open(JOURNAL, "a") as handle:
        handle.write(line + "\n")
