#include "text/unicode.h"

#include <algorithm>

namespace edge_ser {

namespace {

/// The row with the last `key(row) <= point`; null before the first.
template <class Row, class Key>
const Row* row_before(std::span<const Row> rows, char32_t point, Key key) {
  const auto after = std::upper_bound(rows.begin(), rows.end(), point,
                                      [&](char32_t p, const Row& row) { return p < key(row); });
  return after == rows.begin() ? nullptr : &*(after - 1);
}

/// The range that holds the point; null if none does.
template <class Row>
const Row* range_with(std::span<const Row> rows, char32_t point) {
  const Row* row = row_before(rows, point, [](const Row& r) { return r.first; });
  return row != nullptr && point <= row->last ? row : nullptr;
}

template <class Row>
const Row* row_of(std::span<const Row> rows, char32_t point) {
  const Row* row = row_before(rows, point, [](const Row& r) { return r.point; });
  return row != nullptr && row->point == point ? row : nullptr;
}

char32_t moved(char32_t point, std::int32_t difference) {
  return static_cast<char32_t>(static_cast<std::int32_t>(point) + difference);
}

}  // namespace

bool among(std::span<const CodeRange> ranges, char32_t point) {
  return range_with(ranges, point) != nullptr;
}

void append_stripped(char32_t point, std::u32string& text) {
  // Hangul syllables by arithmetic (Unicode, section 3.12): lead, vowel, and perhaps a tail.
  constexpr char32_t kFirst = 0xAC00, kLast = 0xD7A3, kVowels = 21, kTails = 28;
  if (point < 0xC0) {
    text.push_back(point);
    return;
  }
  if (point >= kFirst && point <= kLast) {
    const char32_t index = point - kFirst;
    text.push_back(0x1100 + index / (kVowels * kTails));
    text.push_back(0x1161 + index / kTails % kVowels);
    if (index % kTails != 0) text.push_back(0x11A7 + index % kTails);
  } else if (const BaseRun* run = range_with(kBaseRuns, point)) {
    text.push_back(kBases[run->offset + (point - run->first)]);
  } else if (const Decomposition* found = row_of(kDecompositions, point)) {
    for (const char32_t part : found->parts) {
      if (part != 0) text.push_back(part);
    }
  } else if (!among(kStrippedMarks, point)) {
    text.push_back(point);
  }
}

void append_lowercase(char32_t point, std::u32string& text) {
  if (point == 0x130) {
    text.append(U"i\u0307");
    return;
  }
  const LowercaseRun* run = range_with(kLowercase, point);
  const bool small = run == nullptr || (point - run->first) % static_cast<char32_t>(run->step) != 0;
  text.push_back(small ? point : moved(point, run->difference));
}

std::uint8_t combining_class(char32_t point) {
  const CombiningClass* found = row_of(kCombiningClasses, point);
  return found == nullptr ? 0 : found->value;
}

}  // namespace edge_ser
