#include "base/utf8.h"

#include <cstdint>

namespace edge_ser {

Utf8Error::Utf8Error(std::size_t position)
    : std::invalid_argument("not UTF-8 at byte " + std::to_string(position)) {}

char32_t next_code_point(std::string_view text, std::size_t& position) {
  const auto byte = [&](std::size_t at) { return static_cast<std::uint8_t>(text[at]); };
  const std::size_t start = position;
  const std::uint8_t first = byte(start);
  if (first < 0x80) {
    ++position;
    return first;
  }
  const std::size_t length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  // Below the smallest of its length a shorter sequence would have done.
  constexpr char32_t kSmallest[] = {0x80, 0x800, 0x10000};
  if (first < 0xC2 || first > 0xF4 || text.size() - start < length) throw Utf8Error(start);
  char32_t point = first & (0x7Fu >> length);
  for (std::size_t i = 1; i < length; ++i) {
    const std::uint8_t next = byte(start + i);
    if ((next & 0xC0) != 0x80) throw Utf8Error(start);
    point = point << 6 | (next & 0x3Fu);
  }
  if (point < kSmallest[length - 2] || point > 0x10FFFF || (point >= 0xD800 && point < 0xE000)) {
    throw Utf8Error(start);
  }
  position = start + length;
  return point;
}

std::u32string code_points(std::string_view text) {
  std::u32string points;
  points.reserve(text.size());
  for (std::size_t position = 0; position < text.size();) {
    points.push_back(next_code_point(text, position));
  }
  return points;
}

void append_utf8(char32_t point, std::string& text) {
  const auto put = [&](char32_t byte) { text.push_back(static_cast<char>(byte)); };
  if (point < 0x80) {
    put(point);
    return;
  }
  if (point < 0x800) {
    put(0xC0 | point >> 6);
  } else {
    if (point < 0x10000) {
      put(0xE0 | point >> 12);
    } else {
      put(0xF0 | point >> 18);
      put(0x80 | (point >> 12 & 0x3F));
    }
    put(0x80 | (point >> 6 & 0x3F));
  }
  put(0x80 | (point & 0x3F));
}

}  // namespace edge_ser
