def solve(text):
    numbers = [int(word) for word in text.split()]
    numbers.sort(key=lambda number: (sum(map(int, str(abs(number)))), -number))
    return " ".join(map(str, numbers))
