"""An archive of recordings: many clips in, one Parquet file of decisions out, on many cores."""
