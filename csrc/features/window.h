// Analysis windows.
#pragma once

#include <cstddef>
#include <vector>

#include "base/options.h"

namespace edge_ser {

/// `length` weights; periodic ones are those of a symmetric window one longer, without its last.
std::vector<double> make_window(WindowKind kind, std::size_t length, bool periodic);

}  // namespace edge_ser
