import heapq


def solve(text):
    lines = text.splitlines()
    num_nodes = int(lines[0])
    edges = [[] for _ in range(num_nodes)]
    for line in lines[1:]:
        first, second, length = map(int, line.split())
        edges[first].append((second, length))
        edges[second].append((first, length))
    distance = {}
    waiting = [(0, 0)]
    while waiting:
        so_far, node = heapq.heappop(waiting)
        if node in distance:
            continue
        distance[node] = so_far
        for other, length in edges[node]:
            if other not in distance:
                heapq.heappush(waiting, (so_far + length, other))
    return " ".join(str(distance.get(node, -1)) for node in range(num_nodes))
