// Calls of the C interface in any order, with any option text.
#include <string>

#include "c_api/edge_ser_kernels.h"
#include "fuzz/bytes.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  edge_ser::fuzz::Bytes bytes(data, size);
  static constexpr const char* kKernels[] = {"log_mel",   "mfcc", "log_energy", "pitch",
                                             "resampler", "none", nullptr};
  const char* kernel = kKernels[bytes.below(7)];
  std::string text;
  for (std::size_t count = bytes.below(80); count > 0 && bytes.left() > 0; --count) {
    text.push_back(static_cast<char>(bytes.take<std::uint8_t>()));
  }
  edge_ser_stream* stream = nullptr;
  const std::uint32_t version = bytes.below(16) == 0 ? 7 : EDGE_SER_KERNELS_API_VERSION;
  if (edge_ser_stream_create(version, kernel, text.c_str(), &stream) != EDGE_SER_OK) {
    if (stream != nullptr || *edge_ser_last_error() == '\0') edge_ser::fuzz::fail("silent failure");
    // A valid stream all the same, for the calls below.
    if (edge_ser_stream_create(EDGE_SER_KERNELS_API_VERSION, "mfcc", "", &stream) != EDGE_SER_OK) {
      edge_ser::fuzz::fail("the default stream was refused");
    }
  }
  std::size_t dim = 0, frames = 0, room = 0;
  edge_ser_stream_dim(stream, &dim);
  std::vector<float> samples, out;
  for (int step = 0; step < 40 && bytes.left() > 0; ++step) {
    switch (bytes.below(6)) {
      case 0:
        edge_ser_stream_reset(stream);
        break;
      case 1:
        edge_ser_stream_max_frames_at_finish(stream, &room);
        out.resize(std::min<std::size_t>(room * dim, bytes.below(20000)));
        edge_ser_stream_finish(stream, out.data(), out.size(), &frames);
        break;
      default:
        samples.assign(bytes.below(3000), bytes.take<float>());
        if (!samples.empty()) samples[bytes.below(samples.size())] = bytes.take<float>();
        edge_ser_stream_max_frames(stream, samples.size(), &room);
        // Sometimes too little room: that must be an error, never a write behind the end.
        if (room * dim > 4000000) break;
        out.resize(bytes.below(4) == 0 ? room * dim / 2 : room * dim);
        edge_ser_stream_accept(stream, samples.data(), samples.size(), out.data(), out.size(),
                               &frames);
        if (frames * dim > out.size()) edge_ser::fuzz::fail("more frames than there was room for");
    }
  }
  edge_ser_stream_destroy(stream);
  return 0;
}
