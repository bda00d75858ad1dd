#!/usr/bin/env bash
# Runs every fuzz target for some seconds: csrc/fuzz/run.sh BUILD_FOLDER [SECONDS]
set -euo pipefail
build=${1:?the build folder, for instance build/fuzz}
seconds=${2:-60}
mkdir -p "$build/findings"
found=0
for target in "$build"/csrc/fuzz/fuzz_*; do
  [[ -f $target && -x $target ]] || continue
  name=$(basename "$target")
  corpus="$build/corpus/$name"
  mkdir -p "$corpus"
  echo "== $name, $seconds s"
  "$target" -max_total_time="$seconds" -max_len=16384 -timeout=20 -rss_limit_mb=2048 \
    -print_final_stats=0 -verbosity=0 -artifact_prefix="$build/findings/$name-" "$corpus" || exit 1
  found=1
done
[[ $found == 1 ]] || { echo "no fuzz targets under $build: cmake --preset fuzz && cmake --build --preset fuzz" >&2; exit 2; }
