#include "features/log_mel.h"
#include "fuzz/fuzz_framed.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return edge_ser::fuzz::run_framed<edge_ser::LogMel>(data, size);
}
