/* Streams one second of a tone through the MFCC kernel in chunks of 20 ms and prints the last
 * frame. */
#include <edge_ser_kernels.h>
#include <math.h>
#include <stdio.h>

#define CHUNK 320
#define MAX_DIM 64

static int failed(const char* what) {
  fprintf(stderr, "%s: %s\n", what, edge_ser_last_error());
  return 1;
}

int main(void) {
  edge_ser_stream* stream = NULL;
  float samples[CHUNK], frames[4 * MAX_DIM], last[MAX_DIM] = {0};
  size_t dim = 0, count = 0, total = 0;

  if (edge_ser_stream_create(EDGE_SER_KERNELS_API_VERSION, "mfcc",
                             "preset=kaldi mel.num_mels=40 num_ceps=13", &stream) != EDGE_SER_OK) {
    return failed("create");
  }
  if (edge_ser_stream_dim(stream, &dim) != EDGE_SER_OK || dim > MAX_DIM) return failed("dim");

  for (int chunk = 0; chunk < 50; ++chunk) {
    for (int i = 0; i < CHUNK; ++i) {
      samples[i] = 0.3f * sinf(6.2831853f * 440.0f * (float)(chunk * CHUNK + i) / 16000.0f);
    }
    if (edge_ser_stream_accept(stream, samples, CHUNK, frames, 4 * dim, &count) != EDGE_SER_OK) {
      return failed("accept");
    }
    for (size_t k = 0; k < dim && count > 0; ++k) last[k] = frames[(count - 1) * dim + k];
    total += count;
  }
  if (edge_ser_stream_finish(stream, frames, 4 * dim, &count) != EDGE_SER_OK) {
    return failed("finish");
  }
  total += count;
  edge_ser_stream_destroy(stream);

  printf("edge_ser_kernels %s: %zu frames of %zu\n", edge_ser_kernels_version(), total, dim);
  for (size_t k = 0; k < dim; ++k) printf("%s%.3f", k > 0 ? " " : "", (double)last[k]);
  printf("\n");
  return total == 98 ? 0 : 1;
}
