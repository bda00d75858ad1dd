#include "text/word_piece.h"

#include "base/utf8.h"
#include "doctest/doctest.h"

using edge_ser::TokenizerError;
using edge_ser::TokenizerFile;
using edge_ser::Utf8Error;
using edge_ser::WordPiece;

namespace {

TokenizerFile small_file() {
  TokenizerFile file;
  file.normalization = {true, true, true, true};
  file.vocabulary = {{"[UNK]", 0}, {"un", 1},  {"unaff", 2}, {"##aff", 3},       {"##able", 4},
                     {"a", 5},     {"##a", 6}, {",", 7},     {"\xE4\xBD\xA0", 8}};
  file.added = {{"[A]", 90}, {"[A]B", 91}};
  return file;
}

std::vector<std::int64_t> ids(const WordPiece& tokenizer, std::string_view text) {
  std::vector<std::int64_t> result;
  for (const auto& piece : tokenizer.pieces(text)) result.push_back(piece.id);
  return result;
}

std::vector<std::size_t> starts(const WordPiece& tokenizer, std::string_view text) {
  std::vector<std::size_t> result;
  for (const auto& piece : tokenizer.pieces(text)) result.push_back(piece.start);
  return result;
}

using Ids = std::vector<std::int64_t>;
using Starts = std::vector<std::size_t>;

}  // namespace

TEST_CASE("the longest piece comes first") {
  const WordPiece tokenizer(small_file());
  CHECK(ids(tokenizer, "unaffable, un") == Ids{2, 4, 7, 1});
  CHECK(starts(tokenizer, "unaffable, un") == Starts{0, 5, 9, 11});
  CHECK(ids(tokenizer, "UNABLE") == Ids{1, 4});
  CHECK(ids(tokenizer, "").empty());
}

TEST_CASE("a word that no pieces make up is unknown as a whole") {
  const WordPiece tokenizer(small_file());
  CHECK(ids(tokenizer, "unaffablex a") == Ids{0, 5});
  CHECK(ids(tokenizer, "able") == Ids{0});  // only inside a word
}

TEST_CASE("a word of too many letters is unknown") {
  const WordPiece tokenizer(small_file());
  CHECK(ids(tokenizer, std::string(100, 'a')).size() == 100);
  CHECK(ids(tokenizer, std::string(101, 'a')) == Ids{0});
}

TEST_CASE("added tokens are found in the text as it is, the longest first") {
  const WordPiece tokenizer(small_file());
  CHECK(ids(tokenizer, "a[A]a[A]B,[a]") == Ids{5, 90, 5, 91, 7, 0, 5, 0});
  CHECK(starts(tokenizer, "a[A]a[A]B,[a]") == Starts{0, 1, 4, 5, 9, 10, 11, 12});
}

TEST_CASE("starts count code points, not bytes") {
  const WordPiece tokenizer(small_file());
  CHECK(starts(tokenizer, "\xC3\x80\xE4\xBD\xA0 a") == Starts{0, 1, 3});
}

TEST_CASE("a vocabulary without the unknown piece, and a text that is no UTF-8, are refused") {
  TokenizerFile file = small_file();
  file.unknown = "<unk>";
  CHECK_THROWS_WITH_AS(WordPiece{file}, "its vocabulary lacks <unk>, the piece for unknown words",
                       TokenizerError);
  CHECK_THROWS_AS(WordPiece(small_file()).pieces("a\xFF"), Utf8Error);
}
