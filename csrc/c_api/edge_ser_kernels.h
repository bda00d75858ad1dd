/* The kernels for C and everything that speaks C: sound in, frames out.
 *
 * A stream is made by the name of its kernel and a line of options, takes samples, and gives
 * frames. No C++ exception crosses this interface: every function answers with a status, and
 * edge_ser_last_error says in words what went wrong. A stream belongs to one thread at a time;
 * different streams may run in different threads. After creation nothing is allocated.
 */
#ifndef EDGE_SER_KERNELS_H
#define EDGE_SER_KERNELS_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Grows when a function or its meaning changes. Given at creation, so that a program that was
 * compiled against another header is told so instead of misbehaving. */
#define EDGE_SER_KERNELS_API_VERSION 1u

typedef enum edge_ser_status {
  EDGE_SER_OK = 0,
  EDGE_SER_INVALID_ARGUMENT = 1, /* a null pointer, an unknown kernel or option, too little room */
  EDGE_SER_BAD_SAMPLE = 2,       /* NaN or infinity; no sample was taken */
  EDGE_SER_FINISHED = 3,         /* the stream is finished; reset it */
  EDGE_SER_OUT_OF_MEMORY = 4,
  EDGE_SER_VERSION_MISMATCH = 5, /* header and library have different API versions */
  EDGE_SER_INTERNAL = 6          /* a bug in the library; please report the message */
} edge_ser_status;

/* A kernel with its state. */
typedef struct edge_ser_stream edge_ser_stream;

/* The API version of the library, and its release, for instance "0.1.0". */
uint32_t edge_ser_kernels_api_version(void);
const char* edge_ser_kernels_version(void);

/* What the last function that failed in this thread had to say; "" before the first failure. Valid
 * until the next failure in this thread. */
const char* edge_ser_last_error(void);

/* Makes a stream.
 *
 * kernel: "log_mel", "mfcc", "log_energy" or "pitch", which give frames; "resampler",
 *   whose frames are samples (dim 1).
 * options: "name=value" separated by spaces, as the option structs of the C++ headers name them;
 *   NULL or "" for the defaults. "preset=kaldi", "librosa" or "whisper" (log_mel), "kaldi" or
 *   "librosa" (mfcc), comes first; options of the spectrogram below MFCC begin with "mel.":
 *   "preset=kaldi mel.num_mels=40 num_ceps=13". "simd=scalar" picks an instruction set.
 * stream: where the new stream is put; NULL is put there on failure.
 */
edge_ser_status edge_ser_stream_create(uint32_t api_version, const char* kernel,
                                       const char* options, edge_ser_stream** stream);

/* Frees a stream; NULL is allowed. */
void edge_ser_stream_destroy(edge_ser_stream* stream);

/* Floats of a frame. */
edge_ser_status edge_ser_stream_dim(const edge_ser_stream* stream, size_t* dim);

/* The most frames that `accept` of so many samples, or `finish`, would give now. */
edge_ser_status edge_ser_stream_max_frames(const edge_ser_stream* stream, size_t samples,
                                           size_t* frames);
edge_ser_status edge_ser_stream_max_frames_at_finish(const edge_ser_stream* stream, size_t* frames);

/* Takes `count` samples (float, full scale 1) and writes the frames that became complete to `out`,
 * one after another. `capacity` is the number of floats that `out` holds: at least dim times
 * max_frames. `frames` gets the number of frames written. On failure nothing was taken. */
edge_ser_status edge_ser_stream_accept(edge_ser_stream* stream, const float* samples, size_t count,
                                       float* out, size_t capacity, size_t* frames);

/* Ends the clip and writes its last frames. */
edge_ser_status edge_ser_stream_finish(edge_ser_stream* stream, float* out, size_t capacity,
                                       size_t* frames);

/* Starts a new clip. */
edge_ser_status edge_ser_stream_reset(edge_ser_stream* stream);

#ifdef __cplusplus
}
#endif

#endif
