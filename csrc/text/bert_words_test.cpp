#include "text/bert_words.h"

#include "doctest/doctest.h"

using edge_ser::bert_words;
using edge_ser::BertNormalization;

namespace {

constexpr BertNormalization kUncased{true, true, true, true};

std::u32string joined(std::u32string_view text, const BertNormalization& how) {
  std::u32string result;
  for (const auto& word : bert_words(text, how)) {
    if (!result.empty()) result.push_back(U'|');
    result.append(word.letters);
  }
  return result;
}

}  // namespace

TEST_CASE("words are parted at blanks, and punctuation stands alone") {
  CHECK(joined(U"  I don't,\tknow... ", kUncased) == U"i|don|'|t|,|know|.|.|.");
  CHECK(joined(U"", kUncased) == U"");
  CHECK(joined(U" \u3000\n", kUncased) == U"");
}

TEST_CASE("the normaliser cleans, strips accents, makes letters small, parts Chinese characters") {
  CHECK(joined(U"Caf\u00e9 CAFE\u0301", kUncased) == U"cafe|cafe");
  CHECK(joined(U"a\u0001b\u200bc\u00a0d", kUncased) == U"abc|d");
  CHECK(joined(U"a\u4f60\u597db", kUncased) == U"a|\u4f60|\u597d|b");
  CHECK(joined(U"\u0130", {true, true, false, true}) == U"i\u0307");
}

TEST_CASE("what is switched off is not done") {
  CHECK(joined(U"Caf\u00e9 \u4f60\u597d", {}) == U"Caf\u00e9|\u4f60\u597d");
  CHECK(joined(U"a\u200bb", {}) == U"a\u200bb");
}

TEST_CASE("marks that stay are ordered by class, but not across one that was taken away") {
  CHECK(joined(U"a\u302e\U0001d165", kUncased) == U"a\U0001d165\u302e");
  CHECK(joined(U"a\u302e\u034f\U0001d165", kUncased) == U"a\u302e\U0001d165");
}

TEST_CASE("every letter knows where it comes from") {
  const auto words = bert_words(U"\u200b \u00c9t\u00e9 \uac01", kUncased);
  REQUIRE(words.size() == 2);
  CHECK(words[0].sources == std::vector<std::size_t>{2, 3, 4});
  CHECK(words[1].sources == std::vector<std::size_t>{6, 6, 6});
}
