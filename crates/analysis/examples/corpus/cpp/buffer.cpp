#include <array>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <new>
#include <span>
#include <string_view>
#include <utility>

/// Bytes that grow as they are written.
class Buffer {
public:
    Buffer() : data_(new std::uint8_t[16]), size_(0), capacity_(16) {}
    Buffer(Buffer&& other) noexcept
        : data_(std::exchange(other.data_, nullptr)), size_(other.size_), capacity_(other.capacity_) {}
    ~Buffer() { delete data_; }

    void append(const void* bytes, std::uint32_t count) {
        std::uint32_t wanted = size_ + count;
        if (wanted > capacity_) {
            grow(wanted);
        }
        std::memcpy(data_ + size_, bytes, count);
        size_ = wanted;
    }

    Buffer& operator<<(std::string_view text) {
        append(text.data(), static_cast<std::uint32_t>(text.size()));
        return *this;
    }

    template <typename T>
    T read(std::size_t at) const {
        T value;
        std::memcpy(&value, data_ + at, sizeof(T));
        return value;
    }

    std::uint8_t operator[](std::size_t at) const {
        assert(at < size_);
        return data_[at];
    }

    std::span<const std::uint8_t> bytes() const { return {data_, size_}; }

private:
    void grow(std::uint32_t wanted) {
        auto* larger = new (std::nothrow) std::uint8_t[wanted * 2];
        std::memcpy(larger, data_, size_);
        delete[] data_;
        data_ = larger;
        capacity_ = wanted * 2;
    }

    std::uint8_t* data_;
    std::uint32_t size_;
    std::uint32_t capacity_;
};

enum class Kind : std::uint8_t { Text = 1, Number, List };

struct Header {
    Kind kind;
    std::uint16_t length;
};

int parse(const Buffer& buffer, char (&name)[24]) {
    const auto header = buffer.read<Header>(0);
    std::array<int, 8> totals{};
    switch (header.kind) {
        case Kind::Text:
            for (std::size_t at = 0; at < header.length; ++at) {
                name[at] = static_cast<char>(buffer[at + sizeof(Header)]);
            }
            return 1;
        case Kind::Number:
            return totals[buffer.read<int>(4)];
        case Kind::List: {
            int* values = new int[header.length];
            for (auto byte : buffer.bytes()) {
                values[byte]++;
            }
            delete[] values;
            return values[0];
        }
    }
    return -1;
}
