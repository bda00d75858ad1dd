#include "base/utf8.h"

#include "doctest/doctest.h"

using edge_ser::append_utf8;
using edge_ser::code_points;
using edge_ser::Utf8Error;

TEST_CASE("every code point comes back") {
  for (char32_t point = 0; point <= 0x10FFFF; point += point < 0x3000 ? 1 : 61) {
    if (point >= 0xD800 && point < 0xE000) continue;
    std::string text;
    append_utf8(point, text);
    REQUIRE(code_points(text) == std::u32string(1, point));
  }
}

TEST_CASE("what is not UTF-8 is refused with its place") {
  for (const std::string bad :
       {"\x80", "\xC0\x80", "\xC1\xBF", "\xC3", "\xC3(", "\xE0\x80\x80", "\xE2\x82", "\xED\xA0\x80",
        "\xF0\x80\x80\x80", "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xFF"}) {
    CHECK_THROWS_WITH_AS(code_points("ab" + bad), "not UTF-8 at byte 2", Utf8Error);
  }
}
