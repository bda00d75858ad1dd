// The clip normalisation of OpenAI Whisper's log-mel front-end.
#pragma once

#include <span>

namespace edge_ser {

/// Normalises log10-mel values in place: x -> (max(x, max(all) - 8) + 4) / 4.
///
/// Source: A. Radford et al., "Robust Speech Recognition via Large-Scale Weak Supervision", 2022,
/// and its published code. Kept apart from the log-mel kernel because it looks at the whole window:
/// frames can be streamed once and normalised for every window that is cut from them. Throws
/// SampleError, and changes nothing, if a value is NaN or infinite.
void whisper_normalize(std::span<float> log_mel);

}  // namespace edge_ser
