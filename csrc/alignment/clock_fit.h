// A line through time stamps: one slope for all groups, an offset for each, robust and adaptive.
#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <vector>

namespace edge_ser {

/// Fits y = offset[group] + slope * x.
///
/// The slope is the precision-weighted mean of three estimates, each with a variance measured on
/// the data: a biweight regression (best for bell-shaped noise, deaf to bursts), and the lines
/// through the block-wise minima and maxima of the residuals (best for noise with an edge: uniform
/// jitter, or a queue's one-sided delays: an extreme converges with
/// 1/n where a mean converges with 1/sqrt(n)). A zero-mean prior keeps the slope small while the
/// data say nothing. Allocates in the constructor only. Not thread-safe.
class ClockFit {
 public:
  static constexpr std::size_t kMaxGroups = 16;

  explicit ClockFit(std::size_t max_points);

  void clear();
  /// Begins a group; the points added from now on share an offset. At most kMaxGroups.
  void begin_group();
  /// `x` must not decrease within a group; beyond max_points nothing is added.
  void add(double x, double y);
  std::size_t size() const { return x_.size(); }

  /// `prior_sd`: standard deviation of the slope before any data.
  void solve(double prior_sd);

  double slope() const { return slope_; }
  /// One standard deviation of the slope, as far as the noise is independent.
  double slope_sd() const { return slope_sd_; }
  /// 1.4826 * median |residual|: the standard deviation, were the noise normal.
  double scale() const { return scale_; }
  double offset(std::size_t group) const { return groups_[group].offset; }

 private:
  struct Group {
    std::size_t begin = 0;
    std::size_t end = 0;
    double offset = 0.0;
  };
  struct Estimate {
    double slope = 0.0;
    double variance = 0.0;  // 0: there is none
  };
  struct Extreme {
    double x = 0.0;
    double y = 0.0;
    std::size_t group = 0;
  };

  double median_residual(std::size_t begin, std::size_t end, double slope);
  double start_slope();
  void centre(double slope);
  Estimate biweight(double start);
  std::size_t edge_block() const;
  Estimate edge(double slope, double sign);

  std::span<const Group> groups() const { return {groups_.data(), group_count_}; }

  std::vector<double> x_, y_;
  std::vector<double> scratch_;
  std::vector<Extreme> extremes_;
  std::vector<double> pair_slopes_;
  std::array<Group, kMaxGroups> groups_;
  std::size_t group_count_ = 0;
  double slope_ = 0.0;
  double slope_sd_ = 0.0;
  double scale_ = 0.0;
};

}  // namespace edge_ser
