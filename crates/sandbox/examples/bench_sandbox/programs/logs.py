import json
import re

LINE = re.compile(r"(?P<host>\S+) \[(?P<day>[^:]+):[^\]]+\] \"(?P<verb>[A-Z]+) (?P<path>[^ ?]+)\S*\" (?P<status>\d{3}) (?P<size>\d+)")


def solve(text):
    days = {}
    for line in text.splitlines():
        match = LINE.fullmatch(line)
        if match is None:
            days.setdefault("unread", []).append(line)
            continue
        day = days.setdefault(match["day"], {"bytes": 0, "failed": [], "verbs": {}})
        day["bytes"] += int(match["size"])
        day["verbs"][match["verb"]] = day["verbs"].get(match["verb"], 0) + 1
        if int(match["status"]) >= 400:
            day["failed"].append(match["path"])
    return json.dumps(days, sort_keys=True)
