import os


def FN(SIGNATURE):
    command = "wc -l " + PATH
    output = os.popen(command).read()
    return int(output.split()[0])
