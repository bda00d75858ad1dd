#include "text/word_piece.h"

#include <algorithm>

#include "base/utf8.h"

namespace edge_ser {

WordPiece::WordPiece(const TokenizerFile& file)
    : normalization_(file.normalization),
      most_letters_(file.most_letters),
      before_(file.before),
      behind_(file.behind) {
  beginning_.reserve(file.vocabulary.size());
  for (const auto& [piece, id] : file.vocabulary) {
    beginning_.insert_or_assign(piece, id);
    if (piece.starts_with(file.continuing_prefix)) {
      continuing_.insert_or_assign(piece.substr(file.continuing_prefix.size()), id);
    }
    longest_ = std::max(longest_, piece.size());
  }
  const auto unknown = beginning_.find(file.unknown);
  if (unknown == beginning_.end()) {
    throw TokenizerError("its vocabulary lacks " + file.unknown + ", the piece for unknown words");
  }
  unknown_ = unknown->second;
  for (const auto& [content, id] : file.added) {
    const auto known = beginning_.find(content);
    added_.emplace_back(code_points(content), known == beginning_.end() ? id : known->second);
  }
  std::sort(added_.begin(), added_.end(), [](const auto& a, const auto& b) {
    return a.first.size() != b.first.size() ? a.first.size() > b.first.size() : a < b;
  });
}

std::vector<WordPiece::Piece> WordPiece::pieces(std::string_view text) const {
  const std::u32string points = code_points(text);
  const std::u32string_view whole = points;
  std::vector<Piece> pieces;
  std::size_t start = 0;
  for (std::size_t at = 0; at < whole.size();) {
    const auto token = std::find_if(added_.begin(), added_.end(), [&](const auto& added) {
      return whole.substr(at, added.first.size()) == added.first;
    });
    if (token == added_.end()) {
      ++at;
      continue;
    }
    add_text(whole.substr(start, at - start), start, pieces);
    pieces.push_back({token->second, at});
    at += token->first.size();
    start = at;
  }
  add_text(whole.substr(start), start, pieces);
  return pieces;
}

void WordPiece::add_text(std::u32string_view text, std::size_t start,
                         std::vector<Piece>& pieces) const {
  for (const BertWord& word : bert_words(text, normalization_)) add_word(word, start, pieces);
}

void WordPiece::add_word(const BertWord& word, std::size_t start,
                         std::vector<Piece>& pieces) const {
  const std::size_t before = pieces.size();
  const auto give_up = [&] {
    pieces.resize(before);
    pieces.push_back({unknown_, start + word.sources.front()});
  };
  const std::size_t letters = word.letters.size();
  if (letters > most_letters_) {
    give_up();
    return;
  }
  std::string bytes;
  std::vector<std::size_t> ends;  // of each letter, in bytes
  for (const char32_t letter : word.letters) {
    append_utf8(letter, bytes);
    ends.push_back(bytes.size());
  }
  const std::string_view whole = bytes;
  for (std::size_t first = 0; first < letters;) {
    const Ids& ids = first == 0 ? beginning_ : continuing_;
    const std::size_t from = first == 0 ? 0 : ends[first - 1];
    std::size_t last = letters;
    auto found = ids.end();
    for (; last > first && found == ids.end(); --last) {
      const std::size_t size = ends[last - 1] - from;
      if (size <= longest_) found = ids.find(whole.substr(from, size));
    }
    if (found == ids.end()) {
      give_up();
      return;
    }
    pieces.push_back({found->second, start + word.sources[first]});
    first = last + 1;
  }
}

}  // namespace edge_ser
