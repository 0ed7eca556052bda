import subprocess


def FN(SIGNATURE):
    command = f"wc -l {PATH}"
    result = subprocess.run(command, shell=True, capture_output=True, text=True)
    return int(result.stdout.split()[0])
