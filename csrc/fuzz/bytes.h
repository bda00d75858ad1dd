// The fuzzer's bytes as numbers, options, samples.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <vector>

namespace edge_ser::fuzz {

class Bytes {
 public:
  Bytes(const std::uint8_t* data, std::size_t size) : data_(data), size_(size) {}

  template <class T>
  T take() {
    T value{};
    const std::size_t count = size_ < sizeof(T) ? size_ : sizeof(T);
    std::memcpy(&value, data_, count);
    data_ += count;
    size_ -= count;
    return value;
  }
  std::size_t below(std::size_t limit) { return take<std::uint32_t>() % limit; }
  std::size_t left() const { return size_; }

  /// A value within the plausible range of a field most of the time, any bit pattern otherwise.
  template <class T>
  void fill(T& field) {
    const std::uint8_t kind = take<std::uint8_t>();
    if (kind < 128) return;  // the default stays
    if constexpr (std::is_enum_v<T>) {
      field = static_cast<T>(below(enum_names(T{}).size()));
    } else if constexpr (std::is_same_v<T, bool>) {
      field = kind % 2 == 1;
    } else if constexpr (std::is_class_v<T>) {
      T::fields(field, [this](const char*, auto& inner, const char*) { this->fill(inner); });
    } else if (kind > 250) {
      field = take<T>();
    } else if constexpr (std::is_floating_point_v<T>) {
      field = static_cast<T>(take<std::int16_t>()) / 256;
    } else {
      field = static_cast<T>(below(700));
    }
  }

  template <class Options>
  Options options() {
    Options result;
    Options::fields(result, [this](const char*, auto& field, const char*) { this->fill(field); });
    return result;
  }

  /// The rest of the bytes: raw floats, or 16-bit integers at full scale.
  std::vector<float> samples(std::size_t limit) {
    std::vector<float> result;
    const bool raw = take<std::uint8_t>() % 2 == 0;
    while (size_ >= (raw ? 4u : 2u) && result.size() < limit) {
      result.push_back(raw ? take<float>() : static_cast<float>(take<std::int16_t>()) / 32768.0f);
    }
    return result;
  }

 private:
  const std::uint8_t* data_;
  std::size_t size_;
};

inline void fail(const char* what) {
  std::fprintf(stderr, "%s\n", what);
  std::abort();
}

inline void check_finite_values(const std::vector<float>& values) {
  for (const float value : values) {
    if (!std::isfinite(value)) fail("finite samples gave a value that is not finite");
  }
}

inline void check_equal(const std::vector<float>& a, const std::vector<float>& b) {
  if (a.size() != b.size() ||
      (!a.empty() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) != 0)) {
    fail("the stream differs from the whole clip");
  }
}

inline bool all_finite(const std::vector<float>& values) {
  for (const float value : values) {
    if (!std::isfinite(value)) return false;
  }
  return true;
}

}  // namespace edge_ser::fuzz
