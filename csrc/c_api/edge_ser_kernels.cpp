#include "c_api/edge_ser_kernels.h"

#include <memory>
#include <new>
#include <stdexcept>
#include <string>

#include "base/option_text.h"
#include "features/log_energy.h"
#include "features/log_mel.h"
#include "features/mfcc.h"
#include "features/resampler.h"
#include "pitch/pitch.h"

/// What the functions below need of a kernel.
struct edge_ser_stream {
  virtual ~edge_ser_stream() = default;
  virtual std::size_t dim() const = 0;
  virtual std::size_t max_frames(std::size_t samples) const = 0;
  virtual std::size_t max_frames_at_finish() const = 0;
  virtual std::size_t accept(std::span<const float> samples, std::span<float> out) = 0;
  virtual std::size_t finish(std::span<float> out) = 0;
  virtual void reset() = 0;
};

namespace {

using namespace edge_ser;

thread_local std::string last_error;

edge_ser_status fail(edge_ser_status status, const char* message) noexcept {
  try {
    last_error = message;
  } catch (...) {
    last_error.clear();
  }
  return status;
}

/// Runs `work`; no exception leaves this function.
template <class Work>
edge_ser_status guarded(Work&& work) noexcept {
  try {
    work();
    return EDGE_SER_OK;
  } catch (const SampleError& error) {
    return fail(EDGE_SER_BAD_SAMPLE, error.what());
  } catch (const std::invalid_argument& error) {
    return fail(EDGE_SER_INVALID_ARGUMENT, error.what());
  } catch (const std::bad_alloc&) {
    return fail(EDGE_SER_OUT_OF_MEMORY, "out of memory");
  } catch (const std::logic_error& error) {
    return fail(EDGE_SER_FINISHED, error.what());
  } catch (const std::exception& error) {
    return fail(EDGE_SER_INTERNAL, error.what());
  } catch (...) {
    return fail(EDGE_SER_INTERNAL, "an unknown exception");
  }
}

void require_pointer(const void* pointer, const char* name) {
  if (pointer == nullptr) throw std::invalid_argument(std::string(name) + " is a null pointer");
}

template <class Kernel>
struct FramedStream final : edge_ser_stream {
  FramedStream(const typename Kernel::Options& options, SimdLevel level) : kernel(options, level) {}
  std::size_t dim() const override { return kernel.dim(); }
  std::size_t max_frames(std::size_t samples) const override {
    return kernel.frames_after(samples);
  }
  std::size_t max_frames_at_finish() const override { return kernel.frames_at_finish(); }
  std::size_t accept(std::span<const float> samples, std::span<float> out) override {
    return kernel.accept(samples, out);
  }
  std::size_t finish(std::span<float> out) override { return kernel.finish(out); }
  void reset() override { kernel.reset(); }
  Kernel kernel;
};

struct ResamplerStream final : edge_ser_stream {
  ResamplerStream(const ResamplerOptions& options, SimdLevel level) : kernel(options, level) {}
  std::size_t dim() const override { return 1; }
  std::size_t max_frames(std::size_t samples) const override {
    return kernel.outputs_after(samples);
  }
  std::size_t max_frames_at_finish() const override { return kernel.outputs_at_finish(); }
  std::size_t accept(std::span<const float> samples, std::span<float> out) override {
    return kernel.accept(samples, out);
  }
  std::size_t finish(std::span<float> out) override { return kernel.finish(out); }
  void reset() override { kernel.reset(); }
  Resampler kernel;
};

struct PitchStream final : edge_ser_stream {
  PitchStream(const PitchOptions& options, SimdLevel) : kernel(options) {}
  std::size_t dim() const override { return Pitch::kColumns; }
  std::size_t max_frames(std::size_t samples) const override { return Pitch::max_rows(samples); }
  std::size_t max_frames_at_finish() const override { return Pitch::kMaxRowsAtFinish; }
  std::size_t accept(std::span<const float> samples, std::span<float> out) override {
    check_room(max_frames(samples.size()), out);
    return kernel.accept(samples, out.data());
  }
  std::size_t finish(std::span<float> out) override {
    check_room(max_frames_at_finish(), out);
    return kernel.finish(out.data());
  }
  void reset() override { kernel.reset(); }
  static void check_room(std::size_t rows, std::span<float> out) {
    if (out.size() / Pitch::kColumns < rows) {
      throw std::invalid_argument("the output holds fewer frames than max_frames");
    }
  }
  Pitch kernel;
};

/// Takes "preset=..." and "simd=..." out of `pairs`.
std::string extract(OptionPairs& pairs, const std::string& name, const std::string& otherwise) {
  std::string value = otherwise;
  for (auto pair = pairs.begin(); pair != pairs.end();) {
    if (pair->first == name) {
      value = pair->second;
      pair = pairs.erase(pair);
    } else {
      ++pair;
    }
  }
  return value;
}

template <class Options>
Options preset_options(const std::string& preset) {
  if constexpr (requires { Options::kaldi(); }) {
    if (preset == "kaldi") return Options::kaldi();
    if (preset == "librosa") return Options::librosa();
  }
  if constexpr (requires { Options::whisper(); }) {
    if (preset == "whisper") return Options::whisper();
  }
  if (!preset.empty()) {
    throw std::invalid_argument("this kernel has no preset '" + preset + "'");
  }
  return {};
}

template <class Stream, class Options>
std::unique_ptr<edge_ser_stream> make(OptionPairs pairs) {
  const SimdLevel level = simd_level_named(extract(pairs, "simd", "best"));
  Options options = preset_options<Options>(extract(pairs, "preset", ""));
  set_options(options, pairs);
  options.validate();
  return std::make_unique<Stream>(options, level);
}

std::unique_ptr<edge_ser_stream> make_named(const std::string& kernel, OptionPairs pairs) {
  if (kernel == "log_mel") return make<FramedStream<LogMel>, MelOptions>(std::move(pairs));
  if (kernel == "mfcc") return make<FramedStream<Mfcc>, MfccOptions>(std::move(pairs));
  if (kernel == "log_energy") {
    return make<FramedStream<LogEnergy>, LogEnergyOptions>(std::move(pairs));
  }
  if (kernel == "pitch") return make<PitchStream, PitchOptions>(std::move(pairs));
  if (kernel == "resampler") return make<ResamplerStream, ResamplerOptions>(std::move(pairs));
  throw std::invalid_argument("there is no kernel '" + kernel +
                              "'; there are: log_mel, mfcc, log_energy, pitch, resampler");
}

}  // namespace

uint32_t edge_ser_kernels_api_version(void) { return EDGE_SER_KERNELS_API_VERSION; }

const char* edge_ser_kernels_version(void) { return EDGE_SER_KERNELS_VERSION; }

const char* edge_ser_last_error(void) { return last_error.c_str(); }

edge_ser_status edge_ser_stream_create(uint32_t api_version, const char* kernel,
                                       const char* options, edge_ser_stream** stream) {
  if (stream == nullptr) return fail(EDGE_SER_INVALID_ARGUMENT, "stream is a null pointer");
  *stream = nullptr;
  if (api_version != EDGE_SER_KERNELS_API_VERSION) {
    return fail(EDGE_SER_VERSION_MISMATCH,
                "the program was compiled against another API version of edge_ser_kernels.h than "
                "the library has; compile it again with the library's header");
  }
  return guarded([&] {
    require_pointer(kernel, "kernel");
    *stream = make_named(kernel, split_options(options == nullptr ? "" : options)).release();
  });
}

void edge_ser_stream_destroy(edge_ser_stream* stream) { delete stream; }

edge_ser_status edge_ser_stream_dim(const edge_ser_stream* stream, size_t* dim) {
  return guarded([&] {
    require_pointer(stream, "stream");
    require_pointer(dim, "dim");
    *dim = stream->dim();
  });
}

edge_ser_status edge_ser_stream_max_frames(const edge_ser_stream* stream, size_t samples,
                                           size_t* frames) {
  return guarded([&] {
    require_pointer(stream, "stream");
    require_pointer(frames, "frames");
    *frames = stream->max_frames(samples);
  });
}

edge_ser_status edge_ser_stream_max_frames_at_finish(const edge_ser_stream* stream,
                                                     size_t* frames) {
  return guarded([&] {
    require_pointer(stream, "stream");
    require_pointer(frames, "frames");
    *frames = stream->max_frames_at_finish();
  });
}

edge_ser_status edge_ser_stream_accept(edge_ser_stream* stream, const float* samples, size_t count,
                                       float* out, size_t capacity, size_t* frames) {
  return guarded([&] {
    require_pointer(stream, "stream");
    require_pointer(frames, "frames");
    *frames = 0;
    if (count > 0) require_pointer(samples, "samples");
    if (capacity > 0) require_pointer(out, "out");
    *frames = stream->accept({samples, count}, {out, capacity});
  });
}

edge_ser_status edge_ser_stream_finish(edge_ser_stream* stream, float* out, size_t capacity,
                                       size_t* frames) {
  return guarded([&] {
    require_pointer(stream, "stream");
    require_pointer(frames, "frames");
    *frames = 0;
    if (capacity > 0) require_pointer(out, "out");
    *frames = stream->finish({out, capacity});
  });
}

edge_ser_status edge_ser_stream_reset(edge_ser_stream* stream) {
  return guarded([&] {
    require_pointer(stream, "stream");
    stream->reset();
  });
}
