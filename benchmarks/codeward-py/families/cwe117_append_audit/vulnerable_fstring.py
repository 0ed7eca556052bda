def FN(SIGNATURE):
    with open(JOURNAL, "a") as handle:
        handle.write(f"{MEMBER} {DEED}\n")
