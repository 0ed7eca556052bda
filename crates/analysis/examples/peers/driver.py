"""Runs one analyser over a folder and prints one JSON object of what it found.

probe NAME        exit status 0 if it is installed, else a reason on standard output
scan NAME FOLDER  {"version", "seconds", "cpu_seconds",
                   "files": {name: {"is_read", "flags": [{"classes", "severity", "confidence"}], "cpu_seconds"}}}

Seconds are those of the clock for the whole folder; CPU seconds say the same on a busy machine as on a quiet one.

Severities and confidences are brought to low, medium, high; an analyser that states none gets medium. The files are only read.
"""

import csv
import importlib.util
import io
import json
import os
import re
import resource
import shutil
import subprocess
import sys
import time

HERE = os.path.dirname(sys.executable)


def program(name):
    beside = os.path.join(HERE, name)
    return beside if os.access(beside, os.X_OK) else shutil.which(name)


def package_folder(name):
    found = importlib.util.find_spec(name)
    return next(iter(found.submodule_search_locations or []), None) if found else None


def classes_in(text):
    return sorted({int(number) for number in re.findall(r"CWE-(\d+)", text)})


def flag(classes, severity, confidence="medium"):
    return {"classes": classes, "severity": severity, "confidence": confidence}


def nothing_yet(folder):
    return {name: {"is_read": True, "flags": [], "cpu_seconds": None} for name in sorted(os.listdir(folder))}


def run(command, folder, acceptable=(0, 1)):
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, errors="replace", stdin=subprocess.DEVNULL)
    if done.returncode not in acceptable:
        sys.exit(f"{command[0]} ended with {done.returncode}: {done.stderr[-2000:]}")
    return done


UNTIMED = {"seconds": 0.0, "cpu_seconds": 0.0}


def version_of(name, *options):
    """What a program says of itself. The time that this takes is not that of a scan."""
    started, cpu = time.perf_counter(), cpu_seconds()
    said = run([name, "--version", *options], None).stdout.strip()
    UNTIMED["seconds"] += time.perf_counter() - started
    UNTIMED["cpu_seconds"] += cpu_seconds() - cpu
    return said


# Bandit, as a library in this process, all its checks, marks such as nosec ignored.

def bandit_missing():
    return None if package_folder("bandit") else "bandit is not installed; scripts/analysis-env installs it"


def bandit_scan(folder):
    import logging

    import bandit
    from bandit.core import config, manager

    logging.disable(logging.CRITICAL)
    files = nothing_yet(folder)
    settings = config.BanditConfig()
    for turn in ("warm", "measured"):
        for name in list(files)[: 3 if turn == "warm" else None]:
            path = os.path.join(folder, name)
            scan = manager.BanditManager(settings, "file", ignore_nosec=True)
            started = time.process_time()
            scan.discover_files([path])
            scan.run_tests()
            spent = time.process_time() - started
            if turn == "warm":
                continue
            files[name] = {
                "is_read": not scan.skipped,
                "flags": [
                    flag([issue.cwe.id] if issue.cwe and issue.cwe.id else [], issue.severity.lower(), issue.confidence.lower())
                    for issue in scan.get_issue_list()
                ],
                "cpu_seconds": spent,
            }
    return f"bandit {bandit.__version__} on Python {sys.version.split()[0]}", files


# Semgrep's engine with rules that come in packages: CodeShield's, and njsscan's for JavaScript. No rule is fetched.

def semgrep_rules():
    folders = []
    codeshield = package_folder("codeshield")
    if codeshield:
        rules = os.path.join(codeshield, "insecure_code_detector", "rules", "semgrep")
        folders += [os.path.join(rules, name) for name in ("python", "c", "java", "javascript")]
    njsscan = package_folder("njsscan")
    if njsscan:
        rules = os.path.join(njsscan, "rules", "semantic_grep")
        # The rules in "good" are those that mark what is right.
        folders += [os.path.join(rules, name) for name in sorted(os.listdir(rules)) if name != "good"]
    return [folder for folder in folders if os.path.isdir(folder)]


def semgrep_missing():
    if not program("semgrep"):
        return "semgrep is not installed; scripts/analysis-env installs it"
    return None if semgrep_rules() else "no rules for it; scripts/analysis-env installs some"


def semgrep_scan(folder):
    files = nothing_yet(folder)
    version = version_of(program("semgrep"), "--metrics", "off", "--disable-version-check")
    command = [program("semgrep"), "scan", "--metrics", "off", "--disable-version-check", "--json", "--quiet", "--no-git-ignore",
               "--disable-nosem", "--jobs", "1"]
    for rules in semgrep_rules():
        command += ["--config", rules]
    # Status 2: some rules do not parse with this version; the others were run.
    done = run([*command, "."], folder, acceptable=(0, 1, 2))
    answer = json.loads(done.stdout)
    levels = {"ERROR": "high", "WARNING": "medium", "INFO": "low", "CRITICAL": "high", "HIGH": "high", "MEDIUM": "medium", "LOW": "low"}
    for found in answer["results"]:
        name = os.path.basename(found["path"])
        metadata = found["extra"].get("metadata", {})
        confidence = str(metadata.get("confidence", "medium")).lower()
        files[name]["flags"].append(
            flag(classes_in(json.dumps(metadata).upper()), levels.get(found["extra"]["severity"], "medium"),
                 confidence if confidence in ("low", "medium", "high") else "medium"))
    return f"semgrep {version} with {len(semgrep_rules())} folders of rules", files


# cppcheck: errors and warnings, the inconclusive ones with low confidence.

NOT_FINDINGS = {"syntaxError", "internalAstError", "unknownMacro", "preprocessorErrorDirective", "cppcheckError", "internalError",
                "missingInclude", "missingIncludeSystem", "noValidConfiguration", "toomanyconfigs", "checkersReport",
                "normalCheckLevelMaxBranches", "information"}


def cppcheck_missing():
    return None if program("cppcheck") else "no cppcheck on the search path"


def cppcheck_scan(folder):
    files = nothing_yet(folder)
    version = version_of(program("cppcheck"))
    template = "@\t{file}\t{severity}\t{inconclusive:inconclusive}\t{cwe}\t{id}"
    command = [program("cppcheck"), "--quiet", "-j", "2", "--enable=warning", "--inconclusive", f"--template={template}", "."]
    done = run(command, folder)
    levels = {"error": "high", "warning": "medium"}
    for line in done.stderr.splitlines():
        parts = line.split("\t")
        if len(parts) != 6 or parts[0] != "@":
            continue
        _, path, severity, inconclusive, cwe, identity = parts
        name = os.path.basename(path)
        if identity in NOT_FINDINGS:
            if name in files and identity in ("syntaxError", "internalAstError", "unknownMacro"):
                files[name]["is_read"] = False
            continue
        if name in files:
            classes = [int(cwe)] if cwe.isdigit() and cwe != "0" else []
            files[name]["flags"].append(flag(classes, levels.get(severity, "low"), "low" if inconclusive else "high"))
    return version.lower(), files


# Flawfinder: its levels 4 and 5 are high, 2 and 3 medium; marks to look away are ignored.

def flawfinder_missing():
    return None if program("flawfinder") else "flawfinder is not installed; scripts/analysis-env installs it"


def flawfinder_scan(folder):
    files = nothing_yet(folder)
    version = version_of(program("flawfinder"))
    done = run([program("flawfinder"), "--csv", "--neverignore", "--minlevel=0", "."], folder)
    for row in csv.DictReader(io.StringIO(done.stdout)):
        level = int(row["Level"])
        severity = "high" if level >= 4 else "medium" if level >= 2 else "low"
        files[os.path.basename(row["File"])]["flags"].append(flag(classes_in(row["CWEs"]), severity))
    return f"flawfinder {version}", files


# foxguard: its own rules over the folder in one run. Nothing is fetched: the look-up of dependencies is only made when asked for.

def foxguard_program():
    return os.environ.get("CODEWARD_FOXGUARD") or program("foxguard")


def foxguard_missing():
    return None if foxguard_program() else "foxguard is not installed; scripts/analysis-env installs it"


def foxguard_scan(folder):
    files = nothing_yet(folder)
    version = f"{version_of(foxguard_program())} with its own rules"
    done = run([foxguard_program(), "--format", "json", "."], folder)
    levels = {"critical": "high", "high": "high", "medium": "medium", "low": "low"}
    for found in json.loads(done.stdout)["findings"]:
        # Its confidence is a number up to 1, and 1 where a rule says nothing else.
        number = found.get("confidence", 1.0)
        confidence = "high" if number >= 0.8 else "medium" if number >= 0.5 else "low"
        files[os.path.basename(found["file"])]["flags"].append(
            flag(classes_in(found.get("cwe") or ""), levels.get(found["severity"], "medium"), confidence))
    for name in re.findall(r"skipping (\S+) \(parse error\)", done.stderr):
        files[os.path.basename(name)]["is_read"] = False
    return version, files


def cpu_seconds():
    # Not `os.times`, which counts hundredths of a second.
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def main():
    request, name = sys.argv[1], sys.argv[2]
    if request == "probe":
        reason = globals()[f"{name}_missing"]()
        if reason:
            print(reason)
            sys.exit(1)
        return
    started, cpu = time.perf_counter(), cpu_seconds()
    version, files = globals()[f"{name}_scan"](sys.argv[3])
    times = {"seconds": time.perf_counter() - started, "cpu_seconds": cpu_seconds() - cpu}
    times = {name: value - UNTIMED[name] for name, value in times.items()}
    json.dump({"version": version, **times, "files": files}, sys.stdout)


main()
