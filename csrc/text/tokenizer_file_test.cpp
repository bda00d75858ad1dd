#include "text/tokenizer_file.h"

#include "doctest/doctest.h"

using edge_ser::read_tokenizer;
using edge_ser::TokenizerError;

namespace {

const std::string kModel =
    R"("model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
        "max_input_chars_per_word": 100, "vocab": {"[UNK]": 0, "a": 1}})";
const std::string kSplitter = R"("pre_tokenizer": {"type": "BertPreTokenizer"})";

/// A file with these parts, and a model and a splitter.
std::string file_with(const std::string& parts) {
  return "{" + kModel + ", " + kSplitter + (parts.empty() ? "" : ", ") + parts + "}";
}

}  // namespace

TEST_CASE("a file is read") {
  const auto file = read_tokenizer(file_with(
      R"("truncation": {"max_length": 4}, "normalizer": {"type": "BertNormalizer", "clean_text": true,
         "handle_chinese_chars": false, "strip_accents": null, "lowercase": true},
         "post_processor": {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "[C]"}},
         {"Sequence": {"id": "A"}}, {"SpecialToken": {"id": "[S]"}}], "special_tokens":
         {"[C]": {"ids": [7, 8]}, "[S]": {"ids": [9]}}}, "added_tokens": [{"id": 7, "content": "[C]",
         "single_word": false, "lstrip": false, "rstrip": false, "normalized": false}])"));
  CHECK(file.vocabulary.size() == 2);
  CHECK(file.normalization.clean_text);
  CHECK_FALSE(file.normalization.handle_chinese_chars);
  CHECK(file.normalization.strip_accents);  // as lowercase, where it is not stated
  CHECK(file.before == std::vector<std::int64_t>{7, 8});
  CHECK(file.behind == std::vector<std::int64_t>{9});
  REQUIRE(file.added.size() == 1);
  CHECK(file.added[0] == edge_ser::TokenizerFile::Entry{"[C]", 7});
}

TEST_CASE("the older kind of template is read, and a file without normaliser and template") {
  const auto bert = read_tokenizer(file_with(
      R"("post_processor": {"type": "BertProcessing", "sep": ["[S]", 9], "cls": ["[C]", 7]})"));
  CHECK(bert.before == std::vector<std::int64_t>{7});
  CHECK(bert.behind == std::vector<std::int64_t>{9});
  const auto plain = read_tokenizer(file_with(""));
  CHECK(plain.before.empty());
  CHECK_FALSE(plain.normalization.lowercase);
}

TEST_CASE("what is not read here is named") {
  CHECK_THROWS_WITH_AS(read_tokenizer("{}"), "its model is missing, and WordPiece is read here",
                       TokenizerError);
  CHECK_THROWS_WITH_AS(read_tokenizer(R"({"model": {"type": "BPE"}})"),
                       "its model is BPE, and WordPiece is read here", TokenizerError);
  CHECK_THROWS_WITH_AS(read_tokenizer("{" + kModel + "}"),
                       "its pre_tokenizer is missing, and BertPreTokenizer is read here",
                       TokenizerError);
  CHECK_THROWS_WITH_AS(read_tokenizer(file_with(R"("normalizer": {"type": "NFKC"})")),
                       "its normalizer is NFKC, and BertNormalizer is read here", TokenizerError);
  CHECK_THROWS_WITH_AS(read_tokenizer(file_with(R"("added_tokens": [{"id": 1, "content": "<x>",
      "single_word": false, "lstrip": true, "rstrip": false, "normalized": false}])")),
                       "its added token <x> has the option lstrip, which is not read here",
                       TokenizerError);
}

TEST_CASE("a damaged file is refused") {
  for (const char* bad :
       {"", "[]", R"({"model": 3})", R"({"model": {"type": "WordPiece", "vocab": []}})"}) {
    CHECK_THROWS_AS(read_tokenizer(bad), TokenizerError);
  }
  for (const char* part : {R"("post_processor": {"type": "TemplateProcessing", "single": []})",
                           R"("post_processor": {"type": "BertProcessing", "sep": [1]})",
                           R"("post_processor": {"type": "TemplateProcessing", "single":
                              [{"SpecialToken": {"id": "[X]"}}, {"Sequence": {"id": "A"}}]})",
                           R"("post_processor": {"type": "TemplateProcessing", "single":
                              [{"Sequence": {"id": "B"}}]})",
                           R"("normalizer": {"type": "BertNormalizer"})", R"("added_tokens": 3)"}) {
    CHECK_THROWS_AS(read_tokenizer(file_with(part)), TokenizerError);
  }
}
