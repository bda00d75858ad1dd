// UTF-8 to code points and back; nothing that is not UTF-8 passes.
#pragma once

#include <cstddef>
#include <stdexcept>
#include <string>
#include <string_view>

namespace edge_ser {

/// Bytes that are no UTF-8: cut sequences, longer ones than needed, surrogates, beyond U+10FFFF.
class Utf8Error : public std::invalid_argument {
 public:
  explicit Utf8Error(std::size_t position);
};

/// The code point that begins at `position` (inside `text`), which moves behind it.
char32_t next_code_point(std::string_view text, std::size_t& position);

/// All code points of a text.
std::u32string code_points(std::string_view text);

/// Appends a code point (no surrogate, at most U+10FFFF).
void append_utf8(char32_t point, std::string& text);

}  // namespace edge_ser
