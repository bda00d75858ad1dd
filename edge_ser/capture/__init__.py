"""Where media come from: files, transcripts, speech to text, live devices."""
