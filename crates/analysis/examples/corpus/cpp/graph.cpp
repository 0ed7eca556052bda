#include <functional>
#include <iostream>
#include <limits>
#include <queue>
#include <string>
#include <tuple>
#include <unordered_map>
#include <unordered_set>
#include <vector>

using Node = int;

struct Edge {
    Node to;
    long cost;
};

class Graph {
    std::unordered_map<Node, std::vector<Edge>> edges_;

public:
    void connect(Node from, Node to, long cost = 1) {
        edges_[from].push_back({to, cost});
        edges_[to];
    }

    auto distances(Node start) const -> std::unordered_map<Node, long> {
        using Step = std::pair<long, Node>;
        std::unordered_map<Node, long> found;
        std::priority_queue<Step, std::vector<Step>, std::greater<>> open;
        open.emplace(0, start);
        while (!open.empty()) {
            auto [cost, node] = open.top();
            open.pop();
            if (auto [at, is_new] = found.try_emplace(node, cost); !is_new) {
                continue;
            }
            for (const auto& edge : edges_.at(node)) {
                open.emplace(cost + edge.cost, edge.to);
            }
        }
        return found;
    }

    bool has_cycle() const {
        std::unordered_set<Node> done, above;
        std::function<bool(Node)> visit = [&](Node node) -> bool {
            if (above.count(node)) return true;
            if (!done.insert(node).second) return false;
            above.insert(node);
            for (auto& [to, cost] : edges_.at(node))
                if (visit(to)) return true;
            above.erase(node);
            return false;
        };
        for (auto& entry : edges_)
            if (visit(entry.first)) return true;
        return false;
    }

    friend std::ostream& operator<<(std::ostream& out, const Graph& graph) {
        for (auto& [node, edges] : graph.edges_) {
            out << node << ':';
            for (auto& edge : edges) out << ' ' << edge.to << '(' << edge.cost << ')';
            out << '\n';
        }
        return out;
    }
};

int main() {
    Graph graph;
    std::string word;
    Node from, to;
    long cost;
    while (std::cin >> word >> from >> to >> cost) {
        graph.connect(from, to, word == "free" ? 0 : cost);
    }
    std::cout << graph << (graph.has_cycle() ? "cycle" : "tree") << std::endl;
    for (const auto& [node, distance] : graph.distances(from)) {
        std::cout << node << '\t' << distance << '\n';
    }
}
