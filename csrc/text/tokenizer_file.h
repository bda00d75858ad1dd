// What Hugging Face's `tokenizer.json` says of a WordPiece tokenizer.
//
// Read are BertNormalizer (or none), BertPreTokenizer, WordPiece, and a template around the ids
// (TemplateProcessing, BertProcessing, or none); padding and truncation are left aside.
#pragma once

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "text/bert_words.h"

namespace edge_ser {

/// A `tokenizer.json` that is damaged, or of a kind that is not read here.
class TokenizerError : public std::invalid_argument {
 public:
  using std::invalid_argument::invalid_argument;
};

struct TokenizerFile {
  using Entry = std::pair<std::string, std::int64_t>;

  BertNormalization normalization;
  std::vector<Entry> vocabulary;
  std::string continuing_prefix = "##";      ///< of pieces inside a word
  std::string unknown = "[UNK]";             ///< the piece for a word that no pieces make up
  std::size_t most_letters = 100;            ///< a longer word is unknown
  std::vector<Entry> added;                  ///< found in the text as it is, before anything else
  std::vector<std::int64_t> before, behind;  ///< what the template puts around the ids
};

/// Throws TokenizerError.
TokenizerFile read_tokenizer(std::string_view json);

}  // namespace edge_ser
