import os
import shlex


def FN(SIGNATURE):
    command = "grep -e " + shlex.quote(PATTERN) + " -- " + shlex.quote(PATH)
    output = os.popen(command).read()
    return output.splitlines()
