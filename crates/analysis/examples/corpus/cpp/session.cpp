#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iostream>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace example::web {

// What a browser is remembered by.
struct Session {
    std::string user;
    std::map<std::string, std::string> values;
    bool is_admin{false};
};

class Sessions {
public:
    explicit Sessions(std::string folder) : folder_(std::move(folder)) {}
    Sessions(const Sessions&) = delete;
    Sessions& operator=(const Sessions&) = delete;
    virtual ~Sessions() = default;

    std::string open(const std::string& user) {
        std::mt19937 engine(static_cast<unsigned>(std::rand()));
        std::uniform_int_distribution<int> digits(0, 15);
        std::ostringstream token;
        for (int at = 0; at < 32; ++at) {
            token << "0123456789abcdef"[digits(engine)];
        }
        auto session = std::make_unique<Session>();
        session->user = user;
        sessions_.emplace(token.str(), std::move(session));
        return token.str();
    }

    Session* find(const std::string& token) const noexcept {
        auto found = sessions_.find(token);
        return found == sessions_.end() ? nullptr : found->second.get();
    }

    std::optional<std::string> load(const std::string& name) const {
        std::ifstream file(folder_ + "/" + name);
        if (!file) {
            return std::nullopt;
        }
        std::stringstream text;
        text << file.rdbuf();
        return text.str();
    }

    int archive(const std::string& name) const {
        std::string command = "tar czf /tmp/sessions.tgz " + folder_ + "/" + name;
        return std::system(command.c_str());
    }

private:
    std::string folder_;
    std::map<std::string, std::unique_ptr<Session>> sessions_;
};

template <typename T, std::size_t N>
constexpr bool contains(const T (&values)[N], const T& wanted) {
    return std::any_of(std::begin(values), std::end(values), [&wanted](const T& value) { return value == wanted; });
}

std::string page(const Sessions& sessions, const std::string& token, const std::string& name) {
    const Session* session = sessions.find(token);
    std::string greeting = R"(<p class="greeting">Hello )" + session->user + "</p>";
    try {
        if (auto text = sessions.load(name); text.has_value() && !text->empty()) {
            return greeting + *text;
        }
    } catch (const std::exception& error) {
        std::cerr << error.what() << '\n';
    }
    return greeting + "<p>no " + name + "</p>";
}

}  // namespace example::web
