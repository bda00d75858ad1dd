#include "text/unicode.h"

#include "doctest/doctest.h"

using namespace edge_ser;

namespace {

std::u32string stripped(std::u32string_view text) {
  std::u32string result;
  for (const char32_t point : text) append_stripped(point, result);
  return result;
}
std::u32string lowercase(std::u32string_view text) {
  std::u32string result;
  for (const char32_t point : text) append_lowercase(point, result);
  return result;
}

}  // namespace

TEST_CASE("accents are taken away") {
  CHECK(stripped(U"\u00c0\u00e9\u00fcA\u1ec7e\u0301") == U"AeuAee");
  CHECK(stripped(U"\uac00\uac01\ud7a3") == U"\u1100\u1161\u1100\u1161\u11a8\u1112\u1175\u11c2");
  CHECK(stripped(U"\u09cb") == U"\u09c7\u09be");
  CHECK(stripped(U"\U0001d160") == U"\U0001d158\U0001d165\U0001d16e");
  CHECK(stripped(U"\uf900\U0002fa1d") == U"\u8c48\U0002a600");
  CHECK(stripped(U"\u00df\u0142\u00f8") == U"\u00df\u0142\u00f8");  // no accents but other letters
}

TEST_CASE("letters become small") {
  CHECK(lowercase(U"AZaz[@") == U"azaz[@");
  CHECK(lowercase(U"\u0100\u0101\u0102\u0130\u0178\u03a3\u1e9e") ==
        U"\u0101\u0101\u0103i\u0307\u00ff\u03c3\u00df");
  CHECK(lowercase(U"\U0001e921") == U"\U0001e943");
}

TEST_CASE("code points have their kinds") {
  CHECK(among(kRemoved, 0));
  CHECK(among(kRemoved, 0xFFFD));
  CHECK_FALSE(among(kRemoved, '\t'));
  CHECK(among(kSpaces, 0x3000));
  CHECK_FALSE(among(kSpaces, 'a'));
  CHECK(among(kPunctuation, '$'));
  CHECK(among(kPunctuation, 0x2019));
  CHECK_FALSE(among(kPunctuation, 0x20AC));  // the euro is a symbol; the dollar is ASCII
  CHECK(among(kIdeographs, 0x4E00));
  CHECK_FALSE(among(kIdeographs, 0x3042));
  CHECK(combining_class(0x302E) == 224);
  CHECK(combining_class('a') == 0);
}

TEST_CASE("the tables are sorted, as the search needs them") {
  for (const auto& ranges :
       {kRemoved, kSpaces, kPunctuation, kIdeographs, kStrippedMarks, kOrderBarriers}) {
    for (std::size_t i = 0; i < ranges.size(); ++i) {
      CHECK(ranges[i].first <= ranges[i].last);
      if (i > 0) CHECK(ranges[i - 1].last < ranges[i].first);
    }
  }
  std::size_t bases = 0;
  for (const BaseRun& run : kBaseRuns) {
    CHECK(run.offset == bases);
    bases += run.last - run.first + 1;
  }
  CHECK(bases == kBases.size());
  for (std::size_t i = 1; i < kLowercase.size(); ++i) {
    CHECK(kLowercase[i - 1].last < kLowercase[i].first);
    CHECK(kLowercase[i].step > 0);
  }
}
