// One stage of a change of sample rate: a filter of linear phase between two rates.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "simd/simd.h"

namespace edge_ser {

/// Index of the first output at or after input `position`: ceil(position * up / down).
std::int64_t first_output_at(std::int64_t position, std::int64_t up, std::int64_t down);

/// What a stage does; frequencies are in cycles per input sample.
struct PolyphaseDesign {
  std::int64_t up = 1;  ///< outputs for every `down` inputs
  std::int64_t down = 1;
  double pass = 0.45;
  double stop = 0.5;
  double stop_band_db = 90.0;
};

/// A windowed sinc h (Kaiser's window) of `half` input samples on either side. Output n stands at
/// input position n down / up = c + p / up and is the sum of inputs c + t times h(t - p / up).
///
/// Eight outputs share one piece of input: each one's taps are shifted to where its own input lies
/// in there, so that an input is loaded once for all eight, and taps lie in the order in which they
/// are read. With one or two phases, the eight are of one phase; then the taps of the first are
/// those of the last mirrored, and half of the products suffice (`SimdOps::filter_mirrored`).
/// Otherwise they are neighbours, and up / gcd(up, 8) such groups repeat. Where these would take
/// more than a megabyte, taps are interpolated between stored rows.
class PolyphaseFilter {
 public:
  explicit PolyphaseFilter(const PolyphaseDesign& design);

  std::int64_t up() const { return up_; }
  std::int64_t down() const { return down_; }
  std::int64_t half() const { return half_; }
  /// Outputs that are computed together; group i begins with output i * group_size().
  std::int64_t group_size() const { return group_size_; }
  std::int64_t groups() const { return groups_; }
  /// A group reads inputs from c - lead() to before c + reach(), where c is that of its first
  /// output; what lies outside of the filter there need only be finite.
  std::int64_t lead() const { return lead_; }
  std::int64_t reach() const { return reach_; }

  /// Writes at least one of `groups` groups and returns how many; `in` is the input c of the first
  /// output, whose p is `phase`.
  std::size_t compute(const SimdOps& ops, std::int64_t group, std::int64_t phase, const float* in,
                      std::size_t groups, float* out) const;

 private:
  /// Of a phase: inputs of a group whose positions add up to this are opposite to one another.
  std::int64_t mirror_sum(std::int64_t phase) const;
  void fill_mirrored(const PolyphaseDesign& design);
  void fill_groups(const PolyphaseDesign& design);
  void fill_rows(const PolyphaseDesign& design);
  void mirrored(const SimdOps& ops, const float* in, std::size_t groups, float* out) const;
  void interpolate(const SimdOps& ops, std::int64_t phase, const float* in, float* out) const;

  std::int64_t up_;
  std::int64_t down_;
  std::int64_t half_;
  std::int64_t group_size_ = kFilterRows;
  std::int64_t groups_ = 1;
  std::int64_t lead_ = 0;
  std::int64_t reach_ = 0;
  std::vector<FilterBlock> blocks_;
  std::size_t group_blocks_ = 0;
  std::vector<std::int32_t> starts_;  ///< of groups that differ: c of their first output
  std::vector<float> rows_;           ///< where taps are interpolated
  std::int64_t row_count_ = 0;        ///< without the row that interpolation ends on
};

/// The state of one stage: the inputs that are still needed. Inputs and outputs are counted from
/// the time 0 of the clip; a stage may begin before it. Nothing is allocated after construction.
class PolyphaseStage {
 public:
  /// `first_output` is a multiple of the group size; before `first_input` everything is zero.
  PolyphaseStage(std::shared_ptr<const PolyphaseFilter> filter, const SimdOps& ops,
                 std::int64_t first_output, std::int64_t first_input);

  const PolyphaseFilter& filter() const { return *filter_; }
  void reset();

  /// Where to write inputs, which `grow` then counts in: at least one if all groups that were ready
  /// are emitted.
  std::span<float> room();
  void grow(std::size_t count) { filled_ += count; }

  /// Index behind the last output that inputs before `end` make computable: that of a whole group.
  std::int64_t outputs_until(std::int64_t end) const;
  /// Writes the groups that are ready and fit, and returns the number of outputs.
  std::size_t emit(std::span<float> out);

 private:
  std::shared_ptr<const PolyphaseFilter> filter_;
  const SimdOps* ops_;
  std::int64_t first_output_;
  std::int64_t first_input_;
  std::vector<float> buffer_;
  std::size_t filled_ = 0;
  std::int64_t base_ = 0;      ///< input that the buffer begins with
  std::int64_t next_ = 0;      ///< first output of the next group
  std::int64_t position_ = 0;  ///< its c
  std::int64_t phase_ = 0;     ///< and its p
  std::int64_t group_ = 0;
};

}  // namespace edge_ser
