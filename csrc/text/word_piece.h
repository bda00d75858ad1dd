// Words to token ids by a vocabulary of pieces, as BERT's models need them; the ids equal those of
// Hugging Face's package `tokenizers`.
//
// M. Schuster and K. Nakajima, "Japanese and Korean voice search", 2012: the longest piece first.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "text/tokenizer_file.h"

namespace edge_ser {

/// Thread contract: immutable; may be called from any thread, also at once.
class WordPiece {
 public:
  struct Piece {
    std::int64_t id;
    std::size_t start;  ///< index of the code point in the text at which the piece begins
  };

  /// Throws TokenizerError if the vocabulary lacks the piece for unknown words.
  explicit WordPiece(const TokenizerFile& file);

  /// The pieces of a text in UTF-8, without what the template adds. Throws Utf8Error.
  std::vector<Piece> pieces(std::string_view text) const;

  /// What the template puts before and behind the pieces.
  const std::vector<std::int64_t>& before() const { return before_; }
  const std::vector<std::int64_t>& behind() const { return behind_; }

  /// The id of a word that no pieces make up.
  std::int64_t unknown() const { return unknown_; }

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const {
      return std::hash<std::string_view>{}(text);
    }
  };
  using Ids = std::unordered_map<std::string, std::int64_t, Hash, std::equal_to<>>;

  void add_text(std::u32string_view text, std::size_t start, std::vector<Piece>& pieces) const;
  void add_word(const BertWord& word, std::size_t start, std::vector<Piece>& pieces) const;

  BertNormalization normalization_;
  Ids beginning_;
  Ids continuing_;           ///< without their prefix
  std::size_t longest_ = 0;  ///< bytes of the longest piece
  std::size_t most_letters_;
  std::int64_t unknown_;
  std::vector<std::pair<std::u32string, std::int64_t>> added_;  ///< longest first
  std::vector<std::int64_t> before_, behind_;
};

}  // namespace edge_ser
