"""What strangers wrote (labels, names of files, transcripts) on its way to a person's eyes."""
