import collections
import string


def solve(text):
    table = str.maketrans("", "", string.punctuation)
    words = collections.Counter(text.lower().translate(table).split())
    common = sorted(words.items(), key=lambda pair: (-pair[1], pair[0]))[:12]
    return "\n".join(f"{word} {count}" for word, count in common)
