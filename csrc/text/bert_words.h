// From a text to BERT's words: normalised, parted at blanks, punctuation apart.
//
// What Hugging Face's `tokenizers` calls BertNormalizer and BertPreTokenizer, equal to it on every
// code point; the algorithm is that of J. Devlin et al., "BERT", 2019 (BasicTokenizer).
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace edge_ser {

/// What the normaliser does; all off where a tokenizer has none.
struct BertNormalization {
  bool clean_text = false;            ///< drop controls, make every blank a space
  bool handle_chinese_chars = false;  ///< every Chinese character is a word
  bool strip_accents = false;
  bool lowercase = false;
};

struct BertWord {
  std::u32string letters;  ///< at least one
  /// Index of the code point in the text that each letter comes from.
  std::vector<std::size_t> sources;
};

std::vector<BertWord> bert_words(std::u32string_view text, const BertNormalization& normalization);

}  // namespace edge_ser
