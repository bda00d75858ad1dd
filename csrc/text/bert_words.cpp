#include "text/bert_words.h"

#include <algorithm>
#include <cstdint>

#include "text/unicode.h"

namespace edge_ser {

namespace {

struct Letter {
  char32_t point;
  std::size_t source;
  std::uint8_t order;  ///< canonical combining class
};

// Stands where a mark was taken away that no other mark may cross; no code point.
constexpr char32_t kBarrier = 0xFFFFFFFF;

/// Marks at one letter get the order of their classes, as the canonical decomposition asks.
void order_marks(std::vector<Letter>& letters) {
  for (auto first = letters.begin(); first != letters.end();) {
    if (first->order == 0) {
      ++first;
      continue;
    }
    const auto last = std::find_if(first, letters.end(), [](const Letter& l) { return !l.order; });
    // By insertion: what is of one order keeps its places.
    for (auto mark = first; mark != last; ++mark) {
      const auto place = std::upper_bound(
          first, mark, *mark, [](const Letter& a, const Letter& b) { return a.order < b.order; });
      std::rotate(place, mark, std::next(mark));
    }
    first = last;
  }
  std::erase_if(letters, [](const Letter& letter) { return letter.point == kBarrier; });
}

std::vector<Letter> normalized(std::u32string_view text, const BertNormalization& how) {
  std::vector<Letter> letters;
  letters.reserve(text.size());
  std::u32string parts;
  for (std::size_t source = 0; source < text.size(); ++source) {
    char32_t point = text[source];
    if (how.clean_text) {
      if (among(kRemoved, point)) continue;
      if (among(kSpaces, point)) point = U' ';
    }
    const bool alone = how.handle_chinese_chars && among(kIdeographs, point);
    parts.clear();
    if (alone) parts.push_back(U' ');
    if (how.strip_accents) {
      append_stripped(point, parts);
      if (parts.empty() && among(kOrderBarriers, point)) parts.push_back(kBarrier);
    } else {
      parts.push_back(point);
    }
    if (alone) parts.push_back(U' ');
    for (const char32_t part : parts) {
      letters.push_back(
          {part, source, how.strip_accents ? combining_class(part) : std::uint8_t{0}});
    }
  }
  if (how.strip_accents) order_marks(letters);
  return letters;
}

}  // namespace

std::vector<BertWord> bert_words(std::u32string_view text, const BertNormalization& normalization) {
  std::vector<BertWord> words;
  bool open = false;
  const auto put = [&](char32_t point, std::size_t source, bool begins) {
    if (begins) words.emplace_back();
    words.back().letters.push_back(point);
    words.back().sources.push_back(source);
  };
  std::u32string small;
  for (const Letter& letter : normalized(text, normalization)) {
    small.assign(1, letter.point);
    if (normalization.lowercase) {
      small.clear();
      append_lowercase(letter.point, small);
    }
    for (const char32_t point : small) {
      const bool apart = among(kPunctuation, point);
      if (!among(kSpaces, point)) {
        put(point, letter.source, apart || !open);
        open = !apart;
      } else {
        open = false;
      }
    }
  }
  return words;
}

}  // namespace edge_ser
