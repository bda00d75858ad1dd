"""The measured parts of the documents."""
