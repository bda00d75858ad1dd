#include "c_api/edge_ser_kernels.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "doctest/doctest.h"
#include "features/mfcc.h"

namespace {

struct Handle {
  Handle(const char* kernel, const char* options) {
    REQUIRE(edge_ser_stream_create(EDGE_SER_KERNELS_API_VERSION, kernel, options, &stream) ==
            EDGE_SER_OK);
  }
  ~Handle() { edge_ser_stream_destroy(stream); }
  edge_ser_stream* stream = nullptr;
};

std::vector<float> tone(std::size_t count) {
  std::vector<float> x(count);
  for (std::size_t i = 0; i < count; ++i) x[i] = 0.3f * std::sin(0.05f * static_cast<float>(i));
  return x;
}

std::vector<float> run(edge_ser_stream* stream, const std::vector<float>& x, std::size_t chunk) {
  std::size_t dim = 0, room = 0, frames = 0;
  REQUIRE(edge_ser_stream_dim(stream, &dim) == EDGE_SER_OK);
  std::vector<float> all;
  for (std::size_t at = 0; at < x.size(); at += chunk) {
    const std::size_t count = std::min(chunk, x.size() - at);
    REQUIRE(edge_ser_stream_max_frames(stream, count, &room) == EDGE_SER_OK);
    std::vector<float> out(room * dim);
    REQUIRE(edge_ser_stream_accept(stream, x.data() + at, count, out.data(), out.size(), &frames) ==
            EDGE_SER_OK);
    REQUIRE(frames <= room);
    all.insert(all.end(), out.begin(), out.begin() + static_cast<std::ptrdiff_t>(frames * dim));
  }
  REQUIRE(edge_ser_stream_max_frames_at_finish(stream, &room) == EDGE_SER_OK);
  std::vector<float> out(room * dim);
  REQUIRE(edge_ser_stream_finish(stream, out.data(), out.size(), &frames) == EDGE_SER_OK);
  all.insert(all.end(), out.begin(), out.begin() + static_cast<std::ptrdiff_t>(frames * dim));
  return all;
}

}  // namespace

TEST_CASE("every kernel streams through C, and frames do not depend on the chunks") {
  const std::vector<float> x = tone(8000);
  for (const char* kernel : {"log_mel", "mfcc", "log_energy", "pitch", "resampler"}) {
    CAPTURE(std::string(kernel));
    const Handle handle(kernel, nullptr);
    const std::vector<float> whole = run(handle.stream, x, x.size());
    CHECK_FALSE(whole.empty());
    CHECK(edge_ser_stream_reset(handle.stream) == EDGE_SER_OK);
    CHECK(run(handle.stream, x, 321) == whole);
  }
}

TEST_CASE("C gives what C++ gives, with presets and options") {
  const std::vector<float> x = tone(4000);
  edge_ser::MfccOptions options = edge_ser::MfccOptions::kaldi();
  options.mel.num_mels = 40;
  const edge_ser::Mfcc kernel(options);
  std::vector<float> expected(kernel.frames_in_clip(x.size()) * kernel.dim());
  kernel.compute(x, expected);
  const Handle handle("mfcc", "mel.num_mels=40 preset=kaldi");
  CHECK(run(handle.stream, x, 500) == expected);
}

TEST_CASE("failures have a status and a message, and never an exception") {
  edge_ser_stream* stream = reinterpret_cast<edge_ser_stream*>(1);
  CHECK(edge_ser_stream_create(99, "mfcc", "", &stream) == EDGE_SER_VERSION_MISMATCH);
  CHECK(stream == nullptr);
  CHECK(edge_ser_kernels_api_version() == EDGE_SER_KERNELS_API_VERSION);
  CHECK(std::string(edge_ser_kernels_version()).size() >= 5);
  const auto refused = [&](const char* kernel, const char* options, const char* message) {
    CHECK(edge_ser_stream_create(EDGE_SER_KERNELS_API_VERSION, kernel, options, &stream) ==
          EDGE_SER_INVALID_ARGUMENT);
    CHECK(stream == nullptr);
    CHECK(std::string(edge_ser_last_error()).find(message) != std::string::npos);
  };
  refused("mfccs", "", "no kernel 'mfccs'");
  refused(nullptr, "", "null pointer");
  refused("mfcc", "num_cep=3", "no option 'num_cep'");
  refused("mfcc", "num_ceps=41", "num_ceps is 41");
  refused("mfcc", "preset=whisper", "no preset 'whisper'");
  refused("resampler", "preset=kaldi", "no preset");
  refused("log_mel", "simd=mmx", "no SIMD level 'mmx'");
  CHECK(edge_ser_stream_create(EDGE_SER_KERNELS_API_VERSION, "mfcc", "", nullptr) ==
        EDGE_SER_INVALID_ARGUMENT);

  const Handle handle("log_mel", "");
  std::size_t frames = 7;
  std::vector<float> x(500, 0.1f), out(400);
  CHECK(edge_ser_stream_accept(handle.stream, nullptr, 5, out.data(), out.size(), &frames) ==
        EDGE_SER_INVALID_ARGUMENT);
  CHECK(edge_ser_stream_accept(handle.stream, x.data(), 500, out.data(), 39, &frames) ==
        EDGE_SER_INVALID_ARGUMENT);
  CHECK(frames == 0);
  x[3] = std::nanf("");
  CHECK(edge_ser_stream_accept(handle.stream, x.data(), 500, out.data(), 400, &frames) ==
        EDGE_SER_BAD_SAMPLE);
  CHECK(std::string(edge_ser_last_error()).find("sample 3") != std::string::npos);
  CHECK(edge_ser_stream_accept(handle.stream, nullptr, 0, nullptr, 0, &frames) == EDGE_SER_OK);
  CHECK(edge_ser_stream_finish(handle.stream, nullptr, 0, &frames) == EDGE_SER_OK);
  CHECK(edge_ser_stream_finish(handle.stream, nullptr, 0, &frames) == EDGE_SER_FINISHED);
  CHECK(edge_ser_stream_dim(nullptr, &frames) == EDGE_SER_INVALID_ARGUMENT);
  CHECK(edge_ser_stream_dim(handle.stream, nullptr) == EDGE_SER_INVALID_ARGUMENT);
  CHECK(edge_ser_stream_reset(nullptr) == EDGE_SER_INVALID_ARGUMENT);
  edge_ser_stream_destroy(nullptr);
}
