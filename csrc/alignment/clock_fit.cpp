#include "alignment/clock_fit.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace edge_ser {

namespace {

// Stamps are whole ticks: no residual scale below this is information.
constexpr double kQuantisation = 0.3;
constexpr double kNormalScale = 1.4826;   // median absolute deviation -> standard deviation
constexpr double kBiweightCutoff = 6.0;   // scales; 98 % efficient on normal noise
constexpr std::size_t kStartBlocks = 24;  // medians that the first slope is drawn through
constexpr std::size_t kEdgeBlocks = 8;    // extremes that an edge line is drawn through, and
constexpr std::size_t kGroupBlocks = 2;   // so many more for each of the first four groups
constexpr std::size_t kMinBlock = 8;

double median_of(std::span<double> values) {
  if (values.empty()) return 0.0;
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  if (values.size() % 2 == 1) return *middle;
  return 0.5 * (*middle + *std::max_element(values.begin(), middle));
}

}  // namespace

ClockFit::ClockFit(std::size_t max_points) {
  x_.reserve(max_points);
  y_.reserve(max_points);
  scratch_.reserve(max_points);
  // Every group may add one short block to those of the whole.
  const std::size_t start_blocks = kStartBlocks + kMaxGroups;
  extremes_.reserve(start_blocks);
  pair_slopes_.reserve(start_blocks * start_blocks / 2);
}

void ClockFit::clear() {
  x_.clear();
  y_.clear();
  group_count_ = 0;
}

void ClockFit::begin_group() { groups_[group_count_++] = {x_.size(), x_.size(), 0.0}; }

void ClockFit::add(double x, double y) {
  if (x_.size() == x_.capacity() || group_count_ == 0) return;
  x_.push_back(x);
  y_.push_back(y);
  groups_[group_count_ - 1].end = x_.size();
}

double ClockFit::median_residual(std::size_t begin, std::size_t end, double slope) {
  scratch_.clear();
  for (std::size_t i = begin; i < end; ++i) scratch_.push_back(y_[i] - slope * x_[i]);
  return median_of(scratch_);
}

// Theil-Sen over block medians: a burst would have to fill a quarter of the blocks to move it.
double ClockFit::start_slope() {
  const std::size_t block = std::max(kMinBlock / 2, x_.size() / kStartBlocks);
  extremes_.clear();
  for (std::size_t g = 0; g < group_count_; ++g) {
    for (std::size_t i = groups_[g].begin; i + block <= groups_[g].end; i += block) {
      extremes_.push_back(
          {0.5 * (x_[i] + x_[i + block - 1]), median_residual(i, i + block, 0.0), g});
    }
  }
  pair_slopes_.clear();
  for (std::size_t i = 0; i < extremes_.size(); ++i) {
    for (std::size_t j = i + 1; j < extremes_.size(); ++j) {
      const double span = extremes_[j].x - extremes_[i].x;
      if (extremes_[i].group != extremes_[j].group || span <= 0.0) continue;
      if (pair_slopes_.size() == pair_slopes_.capacity()) break;
      pair_slopes_.push_back((extremes_[j].y - extremes_[i].y) / span);
    }
  }
  return pair_slopes_.size() < 3 ? 0.0 : median_of(pair_slopes_);
}

// Sets every group's offset to the median of its residuals, and the common scale.
void ClockFit::centre(double slope) {
  for (std::size_t g = 0; g < group_count_; ++g) {
    groups_[g].offset = median_residual(groups_[g].begin, groups_[g].end, slope);
  }
  scratch_.clear();
  for (const Group& group : groups()) {
    for (std::size_t i = group.begin; i < group.end; ++i) {
      scratch_.push_back(std::abs(y_[i] - slope * x_[i] - group.offset));
    }
  }
  scale_ = std::max(kQuantisation, kNormalScale * median_of(scratch_));
}

// Iteratively reweighted least squares with Tukey's biweight (Beaton and Tukey, 1974).
ClockFit::Estimate ClockFit::biweight(double start) {
  Estimate estimate{start, 0.0};
  const double cutoff = kBiweightCutoff * scale_;
  for (int pass = 0; pass < 3; ++pass) {
    double sxx = 0.0, sxy = 0.0, square = 0.0, total = 0.0;
    for (std::size_t g = 0; g < group_count_; ++g) {
      Group& group = groups_[g];
      const double origin = group.begin < group.end ? x_[group.begin] : 0.0;
      double sw = 0.0, swx = 0.0, swr = 0.0, swxx = 0.0, swxr = 0.0;
      for (std::size_t i = group.begin; i < group.end; ++i) {
        const double residual = y_[i] - estimate.slope * x_[i] - group.offset;
        const double u = residual / cutoff;
        if (std::abs(u) >= 1.0) continue;
        const double weight = (1.0 - u * u) * (1.0 - u * u);
        const double x = x_[i] - origin;
        sw += weight;
        swx += weight * x;
        swr += weight * residual;
        swxx += weight * x * x;
        swxr += weight * x * residual;
        square += weight * residual * residual;
      }
      if (sw <= 0.0) continue;
      total += sw;
      sxx += swxx - swx * swx / sw;
      sxy += swxr - swx * swr / sw;
      group.offset += swr / sw;
    }
    const double freedom = total - static_cast<double>(group_count_) - 1.0;
    if (sxx <= 0.0 || freedom < 1.0) return {estimate.slope, 0.0};
    const double step = sxy / sxx;
    // The offsets stay where they are at each group's middle.
    for (std::size_t g = 0; g < group_count_; ++g) {
      const Group& group = groups_[g];
      if (group.begin < group.end) {
        groups_[g].offset -= step * 0.5 * (x_[group.begin] + x_[group.end - 1]);
      }
    }
    estimate.slope += step;
    estimate.variance = std::max(square / freedom, kQuantisation * kQuantisation) / sxx;
  }
  return estimate;
}

// Few long blocks beat many short ones, but every group loses up to one of them.
std::size_t ClockFit::edge_block() const {
  const std::size_t blocks = kEdgeBlocks + kGroupBlocks * std::min<std::size_t>(group_count_, 4);
  return std::max(kMinBlock, x_.size() / blocks);
}

// The line through the lowest (sign +1) or highest (sign -1) residual of every block.
ClockFit::Estimate ClockFit::edge(double slope, double sign) {
  const std::size_t block = edge_block();
  extremes_.clear();
  std::size_t groups_used = 0;
  double sxx = 0.0, sxy = 0.0, syy = 0.0;
  for (std::size_t g = 0; g < group_count_; ++g) {
    const std::size_t first = extremes_.size();
    // Blocks end at the newest point, all of one size: the expected extreme depends on it.
    const std::size_t length = groups_[g].end - groups_[g].begin;
    for (std::size_t i = groups_[g].begin + length % block; i < groups_[g].end; i += block) {
      Extreme lowest{0.0, std::numeric_limits<double>::infinity(), g};
      for (std::size_t k = i; k < i + block; ++k) {
        const double residual = sign * (y_[k] - slope * x_[k]);
        if (residual < lowest.y) lowest = {x_[k], residual, g};
      }
      extremes_.push_back(lowest);
    }
    const std::size_t count = extremes_.size() - first;
    if (count < 2) {
      extremes_.resize(first);
      continue;
    }
    ++groups_used;
    double mean_x = 0.0, mean_y = 0.0;
    for (std::size_t k = first; k < extremes_.size(); ++k) {
      mean_x += extremes_[k].x / static_cast<double>(count);
      mean_y += extremes_[k].y / static_cast<double>(count);
    }
    for (std::size_t k = first; k < extremes_.size(); ++k) {
      const double dx = extremes_[k].x - mean_x, dy = extremes_[k].y - mean_y;
      sxx += dx * dx;
      sxy += dx * dy;
      syy += dy * dy;
    }
  }
  const double freedom =
      static_cast<double>(extremes_.size()) - static_cast<double>(groups_used) - 1.0;
  if (freedom < 4.0 || sxx <= 0.0) return {slope, 0.0};
  const double step = sxy / sxx;
  // A variance from few blocks is itself uncertain: (f + 2) / f keeps a lucky one from ruling.
  const double noise = std::max(0.0, syy - step * sxy) / freedom * (freedom + 2.0) / freedom;
  return {slope + sign * step, std::max(noise, kQuantisation * kQuantisation) / sxx};
}

void ClockFit::solve(double prior_sd) {
  slope_ = 0.0;
  slope_sd_ = prior_sd;
  scale_ = kQuantisation;
  if (x_.empty()) return;
  const double start = start_slope();
  centre(start);
  const Estimate middle = biweight(start);
  double precision = 1.0 / (prior_sd * prior_sd);
  if (middle.variance > 0.0) {
    double best = middle.slope;
    // Twice: which points are extreme depends on the slope.
    for (int pass = 0; pass < 2; ++pass) {
      precision = 1.0 / (prior_sd * prior_sd);
      double sum = 0.0;
      for (const Estimate& estimate : {middle, edge(best, 1.0), edge(best, -1.0)}) {
        if (estimate.variance <= 0.0) continue;
        precision += 1.0 / estimate.variance;
        sum += estimate.slope / estimate.variance;
      }
      best = sum / precision;
    }
    slope_ = best;
  }
  slope_sd_ = 1.0 / std::sqrt(precision);
  centre(slope_);
  // Medians are coarse on bell-shaped noise: one weighted mean about them.
  const double cutoff = kBiweightCutoff * scale_;
  for (std::size_t g = 0; g < group_count_; ++g) {
    Group& group = groups_[g];
    double sw = 0.0, swr = 0.0;
    for (std::size_t i = group.begin; i < group.end; ++i) {
      const double residual = y_[i] - slope_ * x_[i] - group.offset;
      const double u = residual / cutoff;
      if (std::abs(u) >= 1.0) continue;
      const double weight = (1.0 - u * u) * (1.0 - u * u);
      sw += weight;
      swr += weight * residual;
    }
    if (sw > 0.0) group.offset += swr / sw;
  }
}

}  // namespace edge_ser
