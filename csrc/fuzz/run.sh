#!/usr/bin/env bash
# Runs every fuzz target for some seconds: csrc/fuzz/run.sh BUILD_FOLDER [SECONDS] [SIDE_BY_SIDE]
# FUZZ_SEED makes a run draw what the run before it with the same seed and code drew; 0, the default,
# draws anew.
set -euo pipefail
export build=${1:?the build folder, for instance build/fuzz} seconds=${2:-60} seed=${FUZZ_SEED:-0}
at_once=${3:-2}

targets=()
for source in "$(dirname "$0")"/fuzz_*.cpp; do
  target="$build/csrc/fuzz/$(basename "$source" .cpp)"
  # A target that is not built must not pass for one that found nothing.
  [[ -x $target ]] || { echo "$target is missing: cmake --preset fuzz && cmake --build --preset fuzz" >&2; exit 2; }
  targets+=("$target")
done
mkdir -p "$build/findings" "$build/logs"

run_target() {
  local name corpus log
  name=$(basename "$1") corpus="$build/corpus/$name" log="$build/logs/$name.txt"
  mkdir -p "$corpus"
  if "$1" -seed="$seed" -max_total_time="$seconds" -max_len=16384 -timeout=20 -rss_limit_mb=2048 \
    -print_final_stats=1 -artifact_prefix="$build/findings/$name-" "$corpus" >"$log" 2>&1; then
    echo "$name: $(awk '/number_of_executed_units/ {print $2}' "$log") runs, nothing found"
  else
    tail -n 60 "$log" >&2
    echo "$name: failed, see $log and $build/findings" >&2
    return 1
  fi
}
export -f run_target

echo "${#targets[@]} targets, $seconds s each, $at_once side by side"
printf '%s\0' "${targets[@]}" | xargs -0 -n 1 -P "$at_once" bash -c 'run_target "$1"' run_target
