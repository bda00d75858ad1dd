// What BERT's normaliser and splitter ask of a code point. The tables were read off Hugging Face's
// `tokenizers`, with which models are trained (tools/update_unicode_tables.py).
#pragma once

#include <cstdint>
#include <span>
#include <string>

namespace edge_ser {

struct CodeRange {
  char32_t first;
  char32_t last;
};
struct CombiningClass {
  char32_t point;
  std::uint8_t value;
};
/// Code points of which each has one base letter: `kBases[offset + point - first]`.
struct BaseRun {
  char32_t first;
  char32_t last;
  std::uint32_t offset;
};
/// Letters that are two or three without their accents (0 behind the last).
struct Decomposition {
  char32_t point;
  char32_t parts[3];
};
/// Every `step`th of first to last has its small letter `difference` further on.
struct LowercaseRun {
  char32_t first;
  char32_t last;
  std::int32_t step;
  std::int32_t difference;
};

extern const std::span<const CodeRange> kRemoved;        ///< controls that are no blanks
extern const std::span<const CodeRange> kSpaces;         ///< blanks
extern const std::span<const CodeRange> kPunctuation;    ///< stands alone
extern const std::span<const CodeRange> kIdeographs;     ///< Chinese characters: words of their own
extern const std::span<const CodeRange> kStrippedMarks;  ///< vanish with the accents
extern const std::span<const CodeRange> kOrderBarriers;  ///< of these: no mark moves across them
extern const std::span<const CombiningClass> kCombiningClasses;  ///< of marks that stay
extern const std::span<const BaseRun> kBaseRuns;
extern const std::span<const char32_t> kBases;
extern const std::span<const Decomposition> kDecompositions;
extern const std::span<const LowercaseRun> kLowercase;

/// Whether a code point is in one of the sorted ranges.
bool among(std::span<const CodeRange> ranges, char32_t point);

/// Appends a code point without its accents (the canonical decomposition less nonspacing marks).
void append_stripped(char32_t point, std::u32string& text);

/// Appends the small letter of a code point, or the code point; two for U+0130.
void append_lowercase(char32_t point, std::u32string& text);

/// The canonical combining class of what append_stripped gives; 0 for what is no mark.
std::uint8_t combining_class(char32_t point);

}  // namespace edge_ser
