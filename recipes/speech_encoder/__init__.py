"""How the speech encoder of the default bundle is trained: on several corpora, judged on others."""
