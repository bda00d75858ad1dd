// What the option structs share: enums with names, and checks that say which field is wrong.
#pragma once

#include <array>
#include <stdexcept>
#include <string>
#include <string_view>

namespace edge_ser {

/// Where frames lie.
///  - snipped: frame i starts at sample i * hop; only whole frames (Kaldi's snip_edges).
///  - centred_*: the middle of frame i is sample i * hop; outside the clip the samples are mirrored
///    about its first and last sample, or zero. A clip of n > 0 samples has 1 + n / hop frames.
enum class Framing { snipped, centred_reflect, centred_zero };
/// povey is hann to the power 0.85 (Kaldi).
enum class WindowKind { hann, hamming, povey, blackman, rectangular };
/// htk: 2595 log10(1 + f / 700), triangles linear in Hz. slaney: linear below 1 kHz, logarithmic
/// above (Auditory Toolbox), triangles linear in Hz. kaldi: 1127 ln(1 + f / 700), triangles linear
/// in mel.
enum class MelScale { htk, slaney, kaldi };
/// slaney: every triangle has the area 1 (over Hz); none: every triangle has the peak 1.
enum class MelNorm { none, slaney };
enum class SpectrumKind { power, magnitude };
/// db is 10 log10; none gives the values as they are.
enum class LogKind { natural, log10, db, none };

using Names3 = std::array<std::string_view, 3>;
constexpr Names3 enum_names(Framing) { return {"snipped", "centred-reflect", "centred-zero"}; }
constexpr std::array<std::string_view, 5> enum_names(WindowKind) {
  return {"hann", "hamming", "povey", "blackman", "rectangular"};
}
constexpr Names3 enum_names(MelScale) { return {"htk", "slaney", "kaldi"}; }
constexpr std::array<std::string_view, 2> enum_names(MelNorm) { return {"none", "slaney"}; }
constexpr std::array<std::string_view, 2> enum_names(SpectrumKind) {
  return {"power", "magnitude"};
}
constexpr std::array<std::string_view, 4> enum_names(LogKind) {
  return {"natural", "log10", "db", "none"};
}

/// Factor from the natural logarithm to `kind`.
double log_scale(LogKind kind);

/// Throws std::invalid_argument "field is value; wanted" unless `good`.
void require(bool good, const char* field, double value, const std::string& wanted);

/// Checks lengths in samples and the scale that every framed kernel has.
void validate_framing(int frame_length, int hop_length, double sample_scale);

inline constexpr int kMaxFrameLength = 1 << 16;

}  // namespace edge_ser
