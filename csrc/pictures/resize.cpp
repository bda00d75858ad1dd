#include "pictures/resize.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace edge_ser {

namespace {

// Columns whose sums stay in registers while the rows go by.
constexpr int kBlock = 64;
// So many rows of bytes fit into sums of 16 bits.
constexpr int kMostSummedRows = 257;

/// sums[i] = sum of the i-th byte of `rows` rows.
void sum_rows(const Picture& picture, int top, int rows, std::uint16_t* sums) {
  const int bytes = 3 * picture.width;
  int start = 0;
  for (; start + kBlock <= bytes; start += kBlock) {
    std::uint16_t block[kBlock] = {};
    for (int y = 0; y < rows; ++y) {
      const std::uint8_t* row = picture.row(top + y) + start;
      for (int i = 0; i < kBlock; ++i) block[i] = static_cast<std::uint16_t>(block[i] + row[i]);
    }
    std::copy_n(block, kBlock, sums + start);
  }
  for (; start < bytes; ++start) {
    int sum = 0;
    for (int y = 0; y < rows; ++y) sum += picture.row(top + y)[start];
    sums[start] = static_cast<std::uint16_t>(sum);
  }
}

/// Every new pixel covers `across` times `down` old ones exactly.
OwnedPicture shrink_by_whole(const Picture& picture, int across, int down) {
  const int width = picture.width / across, height = picture.height / down;
  OwnedPicture small(width, height);
  std::vector<std::uint16_t> sums(3 * static_cast<std::size_t>(picture.width));
  const float share = 1.0f / static_cast<float>(across * down);
  const bool quarters = across == 2 && down == 2;  // there halves go up
  for (int y = 0; y < height; ++y) {
    sum_rows(picture, y * down, down, sums.data());
    const std::uint16_t* from = sums.data();
    std::uint8_t* to = small.row(y);
    for (int x = 0; x < width; ++x, to += 3) {
      std::uint32_t sum[3] = {};
      for (int i = 0; i < across; ++i, from += 3) {
        for (int c = 0; c < 3; ++c) sum[c] += from[c];
      }
      for (int c = 0; c < 3; ++c) {
        to[c] = quarters ? static_cast<std::uint8_t>((sum[c] + 2) >> 2)
                         : to_pixel(static_cast<float>(sum[c]) * share);
      }
    }
  }
  return small;
}

/// What an old pixel adds to a new one.
struct Share {
  int from;
  int to;
  float weight;
};

std::vector<Share> area_shares(int from_size, int to_size) {
  std::vector<Share> shares;
  const double scale = static_cast<double>(from_size) / to_size;
  for (int to = 0; to < to_size; ++to) {
    const double start = to * scale, end = start + scale;
    const double cell = std::min(scale, from_size - start);
    const int last = std::min(static_cast<int>(std::floor(end)), from_size - 1);
    const int first = std::min(static_cast<int>(std::ceil(start)), last);
    // Slivers are left out.
    if (first - start > 1e-3) {
      shares.push_back({first - 1, to, static_cast<float>((first - start) / cell)});
    }
    for (int from = first; from < last; ++from) {
      shares.push_back({from, to, static_cast<float>(1.0 / cell)});
    }
    if (end - last > 1e-3) {
      const double rest = std::min(std::min(end - last, 1.0), cell);
      shares.push_back({last, to, static_cast<float>(rest / cell)});
    }
  }
  return shares;
}

OwnedPicture shrink_by_shares(const Picture& picture, int width, int height) {
  OwnedPicture small(width, height);
  const std::vector<Share> across = area_shares(picture.width, width);
  const std::vector<Share> down = area_shares(picture.height, height);
  const std::size_t bytes = 3 * static_cast<std::size_t>(picture.width);
  std::vector<float> sums(bytes);
  std::vector<float> cells(3 * static_cast<std::size_t>(width));
  for (std::size_t next = 0; next < down.size();) {
    const int y = down[next].to;
    std::fill(sums.begin(), sums.end(), 0.0f);
    for (; next < down.size() && down[next].to == y; ++next) {
      const std::uint8_t* row = picture.row(down[next].from);
      const float weight = down[next].weight;
      for (std::size_t i = 0; i < bytes; ++i) sums[i] += weight * static_cast<float>(row[i]);
    }
    std::fill(cells.begin(), cells.end(), 0.0f);
    for (const Share& share : across) {
      const float* from = sums.data() + 3 * static_cast<std::ptrdiff_t>(share.from);
      float* to = cells.data() + 3 * static_cast<std::ptrdiff_t>(share.to);
      for (int c = 0; c < 3; ++c) to[c] += share.weight * from[c];
    }
    std::transform(cells.begin(), cells.end(), small.row(y), to_pixel);
  }
  return small;
}

/// Of a new pixel: the two old ones between which it lies, and their weights in 1 / 2048.
struct Between {
  int low;
  int high;
  int low_weight;
  int high_weight;
};

std::vector<Between> betweens(int from_size, int to_size) {
  constexpr float kOne = 2048.0f;
  std::vector<Between> result;
  const double scale = static_cast<double>(from_size) / to_size;
  for (int to = 0; to < to_size; ++to) {
    float place = static_cast<float>((to + 0.5) * scale - 0.5);
    int low = static_cast<int>(std::floor(place));
    place -= static_cast<float>(low);
    if (low < 0) {
      low = 0;
      place = 0.0f;
    }
    if (low >= from_size - 1) {
      low = from_size - 1;
      place = 0.0f;
    }
    result.push_back({low, std::min(low + 1, from_size - 1), round_to_even((1.0f - place) * kOne),
                      round_to_even(place * kOne)});
  }
  return result;
}

}  // namespace

OwnedPicture shrink_by_area(const Picture& picture, int width, int height) {
  const bool whole = picture.width % width == 0 && picture.height % height == 0;
  if (whole && picture.height / height <= kMostSummedRows) {
    return shrink_by_whole(picture, picture.width / width, picture.height / height);
  }
  return shrink_by_shares(picture, width, height);
}

OwnedPicture resize_linear(const Picture& picture, int width, int height) {
  OwnedPicture result(width, height);
  const std::vector<Between> across = betweens(picture.width, width);
  const std::vector<Between> down = betweens(picture.height, height);
  for (int y = 0; y < height; ++y) {
    const Between& row = down[static_cast<std::size_t>(y)];
    const std::uint8_t* upper = picture.row(row.low);
    const std::uint8_t* lower = picture.row(row.high);
    std::uint8_t* to = result.row(y);
    for (const Between& column : across) {
      for (int c = 0; c < 3; ++c) {
        const int low = 3 * column.low + c, high = 3 * column.high + c;
        const auto mixed = [&](const std::uint8_t* from, int weight) {
          const int sum = from[low] * column.low_weight + from[high] * column.high_weight;
          return (weight * (sum >> 4)) >> 16;
        };
        *to++ = static_cast<std::uint8_t>(
            (mixed(upper, row.low_weight) + mixed(lower, row.high_weight) + 2) >> 2);
      }
    }
  }
  return result;
}

}  // namespace edge_ser
