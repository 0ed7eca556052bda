def solve(text):
    limit = int(text)
    is_prime = bytearray([1]) * (limit + 1)
    is_prime[0:2] = b"\0\0"
    for number in range(2, int(limit**0.5) + 1):
        if is_prime[number]:
            is_prime[number * number :: number] = bytes(len(range(number * number, limit + 1, number)))
    primes = [number for number in range(limit + 1) if is_prime[number]]
    return f"{len(primes)} {sum(primes)} {primes[-1]}"
