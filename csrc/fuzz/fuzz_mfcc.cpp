#include "features/mfcc.h"
#include "fuzz/fuzz_framed.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return edge_ser::fuzz::run_framed<edge_ser::Mfcc>(data, size);
}
