import os
import shlex


def FN(SIGNATURE):
    command = "wc -l -- " + shlex.quote(PATH)
    output = os.popen(command).read()
    return int(output.split()[0])
